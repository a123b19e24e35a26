package dev.wclayer;

import dev.wclayer.internal.BufferPool;
import dev.wclayer.internal.SourceHandle;
import org.jspecify.annotations.Nullable;

/**
 * The tar of a layer, made while it is read. One thread reads at a time (others wait); any thread may close it.
 *
 * <p>The layer can be neither removed, unmounted nor filled until the end has been read or the stream is closed. After
 * its end both digests are known.
 *
 * <p>Reads fail with a {@link LayerException}, for example {@link LayerDamagedException} if a stored file is not what it
 * was when the layer was applied, or {@link OperationCancelledException}.
 */
public final class LayerDiff extends NativeStream {
    private final String id;
    private volatile SourceHandle.@Nullable Result result;

    LayerDiff(String id, SourceHandle source, BufferPool pool, Control control) {
        super(source, pool, control);
        this.id = id;
    }

    @Override
    void ending(SourceHandle finished) throws LayerException {
        result = finished.result();
    }

    /**
     * The layer.
     *
     * @return its id
     */
    public String id() {
        return id;
    }

    /**
     * The digest of the uncompressed tar.
     *
     * @return {@code sha256:} and 64 hex digits; "" if it was not asked for ({@link DiffOptions#withDigests})
     * @throws IllegalStateException if the end has not been read
     */
    public String diffId() {
        return result().diffId();
    }

    /**
     * The digest of the bytes as read: of the compressed tar, if it is compressed.
     *
     * @return {@code sha256:} and 64 hex digits; "" if it was not asked for
     * @throws IllegalStateException if the end has not been read
     */
    public String blobDigest() {
        return result().blobDigest();
    }

    /**
     * The size of the uncompressed tar.
     *
     * @return bytes
     * @throws IllegalStateException if the end has not been read
     */
    public long tarBytes() {
        return result().tarBytes();
    }

    /**
     * The bytes as read.
     *
     * @return bytes
     * @throws IllegalStateException if the end has not been read
     */
    public long blobBytes() {
        return result().blobBytes();
    }

    private SourceHandle.Result result() {
        SourceHandle.Result known = result;
        if (known == null) {
            throw new IllegalStateException("known only after the end of the Diff of '" + id + "' has been read");
        }
        return known;
    }
}
