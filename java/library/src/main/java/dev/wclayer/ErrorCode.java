package dev.wclayer;

/** The kinds of failure a caller can tell apart. The numbers are shared with the native core and never change. */
public enum ErrorCode {
    /** The call is wrong whatever the state of the store: a bad id, an unknown option, a parent that is none. */
    INVALID_ARGUMENT(1, "InvalidArgument"),
    /** There is no layer of that id. */
    LAYER_NOT_FOUND(2, "LayerNotFound"),
    /** The layer is there already, or is filled already. */
    LAYER_EXISTS(3, "LayerExists"),
    /** The parent named does not exist or cannot be a parent. */
    PARENT_NOT_FOUND(4, "ParentNotFound"),
    /** The layer is in use: mounted, being read or written, with layers built on it, or its lock is held. Nothing was changed. */
    LAYER_BUSY(5, "LayerBusy"),
    /** What is stored is not what was stored. */
    LAYER_DAMAGED(6, "LayerDamaged"),
    /** The tar, gzip or zstd stream is malformed or truncated. */
    BAD_ARCHIVE(7, "BadArchive"),
    /** A name in an archive leaves the layer, or is one that Windows cannot hold. */
    UNSAFE_PATH(8, "UnsafePath"),
    /** A named limit on input was passed; the message names it. */
    LIMIT_EXCEEDED(9, "LimitExceeded"),
    /** The content has another digest than the expected one. Nothing was kept. */
    DIGEST_MISMATCH(10, "DigestMismatch"),
    /** This backend or layer cannot do what was asked. */
    UNSUPPORTED(11, "Unsupported"),
    /** Several of the layers to squash carry registry deltas, which only Windows can merge. */
    HIVES_NOT_MERGEABLE(12, "HivesNotMergeable"),
    /** The file system refused; {@link LayerException#errno()} says why. */
    IO(13, "Io"),
    /** The file system is full, or a quota is used up. Nothing half-written is left. */
    NO_SPACE(14, "NoSpace"),
    /** The process lacks a right or privilege, which the message names where it is known. */
    ACCESS_DENIED(15, "AccessDenied"),
    /** A call of vmcompute failed; {@link LayerException#hresult()} says why. */
    PLATFORM(16, "Platform"),
    /** The caller cancelled, or the calling thread was interrupted. The layer is as it was before. */
    CANCELLED(17, "Cancelled"),
    /** The backend asked for cannot run here: vmcompute.dll is missing, or the kernel lacks something. */
    BACKEND_UNAVAILABLE(18, "BackendUnavailable"),
    /** The layer was first mounted by overlayfs (or as a checkout), and that is not possible here. */
    MOUNT_MISMATCH(19, "MountMismatch"),
    /** A call of vmcompute.dll has not returned in time, or an earlier one on this layer has not. */
    CALL_TIMEOUT(21, "CallTimeout"),
    /** The image is for a newer Windows than this host. Nothing was made. */
    OS_VERSION_MISMATCH(22, "OsVersionMismatch");

    private final int number;
    private final String text;

    ErrorCode(int number, String text) {
        this.number = number;
        this.text = text;
    }

    /**
     * The number of the kind.
     *
     * @return 1 to 22, never 20
     */
    public int number() {
        return number;
    }

    /**
     * The kind as the command line's JSON names it.
     *
     * @return for example {@code LayerBusy}
     */
    public String text() {
        return text;
    }
}
