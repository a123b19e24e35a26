package dev.wclayer;

/** The image is for a newer Windows than this host; the message names both. Nothing was made. */
public final class OsVersionMismatchException extends LayerException {
    private static final long serialVersionUID = 1L;

    OsVersionMismatchException(int hresult, int errno, String operation, String layer, String path, String message) {
        super(ErrorCode.OS_VERSION_MISMATCH, hresult, errno, operation, layer, path, message);
    }
}
