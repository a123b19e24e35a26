package dev.wclayer;

/** The process lacks a right or privilege, which the message names where it is known. */
public final class AccessDeniedLayerException extends LayerException {
    private static final long serialVersionUID = 1L;

    AccessDeniedLayerException(int hresult, int errno, String operation, String layer, String path, String message) {
        super(ErrorCode.ACCESS_DENIED, hresult, errno, operation, layer, path, message);
    }
}
