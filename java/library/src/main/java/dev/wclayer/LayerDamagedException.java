package dev.wclayer;

/** What is stored is not what was stored. */
public final class LayerDamagedException extends LayerException {
    private static final long serialVersionUID = 1L;

    LayerDamagedException(int hresult, int errno, String operation, String layer, String path, String message) {
        super(ErrorCode.LAYER_DAMAGED, hresult, errno, operation, layer, path, message);
    }
}
