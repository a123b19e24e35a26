package dev.wclayer;

/** A call of vmcompute failed; {@link #hresult()} says why. */
public final class PlatformException extends LayerException {
    private static final long serialVersionUID = 1L;

    PlatformException(int hresult, int errno, String operation, String layer, String path, String message) {
        super(ErrorCode.PLATFORM, hresult, errno, operation, layer, path, message);
    }
}
