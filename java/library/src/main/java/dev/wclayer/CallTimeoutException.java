package dev.wclayer;

/**
 * A call of vmcompute.dll has not returned within the option {@code callTimeout}, or an earlier one on this layer still
 * has not. The layer is refused until it does; what it did is then taken back. Other layers go on.
 */
public final class CallTimeoutException extends LayerException {
    private static final long serialVersionUID = 1L;

    CallTimeoutException(int hresult, int errno, String operation, String layer, String path, String message) {
        super(ErrorCode.CALL_TIMEOUT, hresult, errno, operation, layer, path, message);
    }
}
