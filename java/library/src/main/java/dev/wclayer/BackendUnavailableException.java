package dev.wclayer;

/** The backend asked for cannot run here: vmcompute.dll is missing, or the kernel lacks something. */
public final class BackendUnavailableException extends LayerException {
    private static final long serialVersionUID = 1L;

    BackendUnavailableException(int hresult, int errno, String operation, String layer, String path, String message) {
        super(ErrorCode.BACKEND_UNAVAILABLE, hresult, errno, operation, layer, path, message);
    }
}
