package dev.wclayer;

/** The layer was first mounted by overlayfs (or as a checkout), and that is not possible here. */
public final class MountMismatchException extends LayerException {
    private static final long serialVersionUID = 1L;

    MountMismatchException(int hresult, int errno, String operation, String layer, String path, String message) {
        super(ErrorCode.MOUNT_MISMATCH, hresult, errno, operation, layer, path, message);
    }
}
