package dev.wclayer;

/** The tar, gzip or zstd stream is malformed or truncated. */
public final class BadArchiveException extends LayerException {
    private static final long serialVersionUID = 1L;

    BadArchiveException(int hresult, int errno, String operation, String layer, String path, String message) {
        super(ErrorCode.BAD_ARCHIVE, hresult, errno, operation, layer, path, message);
    }
}
