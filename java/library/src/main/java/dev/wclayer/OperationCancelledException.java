package dev.wclayer;

/** The caller cancelled, or the calling thread was interrupted. The layer is as it was before. */
public final class OperationCancelledException extends LayerException {
    private static final long serialVersionUID = 1L;

    OperationCancelledException(int hresult, int errno, String operation, String layer, String path, String message) {
        super(ErrorCode.CANCELLED, hresult, errno, operation, layer, path, message);
    }
}
