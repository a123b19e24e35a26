package dev.wclayer;

/** The call is wrong whatever the state of the store: a bad id, an unknown option, a parent that is none. */
public final class InvalidLayerArgumentException extends LayerException {
    private static final long serialVersionUID = 1L;

    InvalidLayerArgumentException(int hresult, int errno, String operation, String layer, String path, String message) {
        super(ErrorCode.INVALID_ARGUMENT, hresult, errno, operation, layer, path, message);
    }
}
