package dev.wclayer;

/** This backend or layer cannot do what was asked. */
public final class UnsupportedLayerOperationException extends LayerException {
    private static final long serialVersionUID = 1L;

    UnsupportedLayerOperationException(
            int hresult, int errno, String operation, String layer, String path, String message) {
        super(ErrorCode.UNSUPPORTED, hresult, errno, operation, layer, path, message);
    }
}
