package dev.wclayer;

/** There is no layer of that id. */
public final class LayerNotFoundException extends LayerException {
    private static final long serialVersionUID = 1L;

    LayerNotFoundException(int hresult, int errno, String operation, String layer, String path, String message) {
        super(ErrorCode.LAYER_NOT_FOUND, hresult, errno, operation, layer, path, message);
    }
}
