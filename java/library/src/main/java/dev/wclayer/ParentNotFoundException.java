package dev.wclayer;

/** The parent named does not exist or cannot be a parent. */
public final class ParentNotFoundException extends LayerException {
    private static final long serialVersionUID = 1L;

    ParentNotFoundException(int hresult, int errno, String operation, String layer, String path, String message) {
        super(ErrorCode.PARENT_NOT_FOUND, hresult, errno, operation, layer, path, message);
    }
}
