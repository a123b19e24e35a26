package dev.wclayer;

import java.io.IOException;

/**
 * An operation on a layer failed. There is one subclass for each {@link ErrorCode}. Unless a subclass says otherwise, the
 * store is as it was before the call.
 *
 * <p>The message is one line that names the call, the layer, the path and the cause; the parts are there on their own
 * too.
 */
public abstract sealed class LayerException extends IOException
        permits InvalidLayerArgumentException,
                LayerNotFoundException,
                LayerExistsException,
                ParentNotFoundException,
                LayerBusyException,
                LayerDamagedException,
                BadArchiveException,
                UnsafePathException,
                LimitExceededException,
                DigestMismatchException,
                UnsupportedLayerOperationException,
                HivesNotMergeableException,
                LayerIoException,
                NoSpaceException,
                AccessDeniedLayerException,
                PlatformException,
                OperationCancelledException,
                BackendUnavailableException,
                MountMismatchException,
                CallTimeoutException,
                OsVersionMismatchException {
    private static final long serialVersionUID = 1L;

    /** What failed. */
    private final ErrorCode code;

    /** An HRESULT or 0. */
    private final int hresult;

    /** An errno or 0. */
    private final int errno;

    /** A call, or "". */
    private final String operation;

    /** A layer id, or "". */
    private final String layerId;

    /** A path, or "". */
    private final String path;

    /** The cause alone. */
    private final String reason;

    LayerException(
            ErrorCode code, int hresult, int errno, String operation, String layer, String path, String message) {
        super(line(hresult, errno, operation, layer, path, message));
        this.code = code;
        this.hresult = hresult;
        this.errno = errno;
        this.operation = operation;
        this.layerId = layer;
        this.path = path;
        this.reason = message;
    }

    /**
     * The kind of failure.
     *
     * @return the kind; each has a subclass of its own
     */
    public final ErrorCode code() {
        return code;
    }

    /**
     * The HRESULT of a failed call of vmcompute.
     *
     * @return the HRESULT, untouched; 0 if the failure did not come from there
     */
    public final int hresult() {
        return hresult;
    }

    /**
     * The error number of a failed system call.
     *
     * @return the errno; 0 if the failure did not come from the operating system
     */
    public final int errno() {
        return errno;
    }

    /**
     * The call that failed.
     *
     * @return for example {@code ApplyDiff} or {@code vmcompute!ActivateLayer}
     */
    public final String operation() {
        return operation;
    }

    /**
     * The layer that is meant.
     *
     * @return its id; empty if none is meant
     */
    public final String layerId() {
        return layerId;
    }

    /**
     * The path inside the layer, or of a file outside.
     *
     * @return the path; empty if none is meant
     */
    public final String path() {
        return path;
    }

    /**
     * What is wrong and, where that is known, what would help: the message without call, layer and path.
     *
     * @return one line
     */
    public final String reason() {
        return reason;
    }

    private static String line(int hresult, int errno, String operation, String layer, String path, String message) {
        StringBuilder line = new StringBuilder();
        if (!operation.isEmpty()) {
            line.append(operation).append(": ");
        }
        if (!layer.isEmpty()) {
            line.append("layer '").append(layer).append("': ");
        }
        if (!path.isEmpty()) {
            line.append('\'').append(path).append("': ");
        }
        line.append(message);
        if (hresult != 0) {
            line.append(" (HRESULT 0x").append(String.format("%08x", hresult)).append(')');
        }
        if (errno != 0) {
            line.append(" (errno ").append(errno).append(')');
        }
        return line.toString().replace('\n', ' ').replace('\r', ' ');
    }
}
