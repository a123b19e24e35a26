package dev.wclayer;

/** The file system refused; {@link #errno()} says why. */
public final class LayerIoException extends LayerException {
    private static final long serialVersionUID = 1L;

    LayerIoException(int hresult, int errno, String operation, String layer, String path, String message) {
        super(ErrorCode.IO, hresult, errno, operation, layer, path, message);
    }
}
