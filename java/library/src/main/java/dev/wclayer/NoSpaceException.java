package dev.wclayer;

/** The file system is full, or a quota is used up. Nothing half-written is left. */
public final class NoSpaceException extends LayerException {
    private static final long serialVersionUID = 1L;

    NoSpaceException(int hresult, int errno, String operation, String layer, String path, String message) {
        super(ErrorCode.NO_SPACE, hresult, errno, operation, layer, path, message);
    }
}
