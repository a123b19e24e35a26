package dev.wclayer;

/** The layer is there already, or is filled already. */
public final class LayerExistsException extends LayerException {
    private static final long serialVersionUID = 1L;

    LayerExistsException(int hresult, int errno, String operation, String layer, String path, String message) {
        super(ErrorCode.LAYER_EXISTS, hresult, errno, operation, layer, path, message);
    }
}
