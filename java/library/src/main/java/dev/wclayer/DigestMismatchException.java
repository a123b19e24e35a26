package dev.wclayer;

/** The content has another digest than the expected one. Nothing was kept. */
public final class DigestMismatchException extends LayerException {
    private static final long serialVersionUID = 1L;

    DigestMismatchException(int hresult, int errno, String operation, String layer, String path, String message) {
        super(ErrorCode.DIGEST_MISMATCH, hresult, errno, operation, layer, path, message);
    }
}
