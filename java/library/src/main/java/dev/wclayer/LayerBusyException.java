package dev.wclayer;

/** The layer is in use: mounted, being read or written, with layers built on it, or its lock is held. Nothing was
 * changed. */
public final class LayerBusyException extends LayerException {
    private static final long serialVersionUID = 1L;

    LayerBusyException(int hresult, int errno, String operation, String layer, String path, String message) {
        super(ErrorCode.LAYER_BUSY, hresult, errno, operation, layer, path, message);
    }
}
