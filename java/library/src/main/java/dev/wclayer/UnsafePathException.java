package dev.wclayer;

/** A name in an archive leaves the layer, or is one that Windows cannot hold. */
public final class UnsafePathException extends LayerException {
    private static final long serialVersionUID = 1L;

    UnsafePathException(int hresult, int errno, String operation, String layer, String path, String message) {
        super(ErrorCode.UNSAFE_PATH, hresult, errno, operation, layer, path, message);
    }
}
