package dev.wclayer;

/** A named limit on input was passed; the message names it. */
public final class LimitExceededException extends LayerException {
    private static final long serialVersionUID = 1L;

    LimitExceededException(int hresult, int errno, String operation, String layer, String path, String message) {
        super(ErrorCode.LIMIT_EXCEEDED, hresult, errno, operation, layer, path, message);
    }
}
