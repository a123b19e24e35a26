package dev.wclayer.internal;

import dev.wclayer.LayerException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * The entry points of the native library, registered by its JNI_OnLoad. Only the handle classes of this package call
 * them: a {@code long} is an address, and they alone know that it is alive.
 */
final class Natives {
    private Natives() {}

    static native long open(String home, int flavour, int backend, String[] options) throws LayerException;

    static native void freeDriver(long driver);

    static native String name(long driver);

    static native boolean exists(long driver, String id);

    static native void create(long driver, String id, String parent, boolean writable, long sizeBytes)
            throws LayerException;

    static native String get(long driver, String id, boolean detached) throws LayerException;

    static native void put(long driver, String id) throws LayerException;

    static native void remove(long driver, String id, boolean force) throws LayerException;

    static native long diffSize(long driver, String id, @Nullable String parent) throws LayerException;

    static native String diffPath(long driver, String id) throws LayerException;

    static native void releaseDiffPath(long driver, String path) throws LayerException;

    static native void diffPathTo(long driver, String id, String folder) throws LayerException;

    static native void addBaseImage(long driver, String folder) throws LayerException;

    static native long query(long driver, int kind, @Nullable String a, @Nullable String b) throws LayerException;

    /** Writes a batch of whole records; returns the bytes written, 0 at the end. */
    static native int readRecords(long cursor, ByteBuffer buffer, int from, int length) throws LayerException;

    static native void freeCursor(long cursor);

    static native long openDiff(
            long driver,
            String id,
            @Nullable String parent,
            int format,
            int compression,
            int level,
            int threads,
            boolean rebuild,
            boolean digests)
            throws LayerException;

    static native long openFile(long driver, String id, String path, String stream) throws LayerException;

    /** Returns the bytes read, -1 at the end. */
    static native int readSource(long source, ByteBuffer buffer, int from, int length) throws LayerException;

    /** Returns the bytes moved into the file, 0 at the end. */
    static native long pumpSource(long source, long file, long maxBytes) throws LayerException;

    /** Fills {tarBytes, blobBytes} and {diffId, blobDigest}; complete after the end. */
    static native void sourceResult(long source, long[] numbers, @Nullable String[] texts);

    /** Fills {bytes, entries}. */
    static native void sourceProgress(long source, long[] out);

    static native void cancelSource(long source);

    static native void freeSource(long source);

    /** Returns 0 if another call has been unpacking the same layer for a while: ask again. */
    static native long openApply(
            long driver,
            String id,
            @Nullable String parent,
            String expectedDiffId,
            String expectedBlobDigest,
            String osVersion)
            throws LayerException;

    static native long openRepair(long driver, String id, String expectedDiffId, String expectedBlobDigest)
            throws LayerException;

    static native boolean applyAlreadyThere(long apply);

    static native void writeApply(long apply, ByteBuffer buffer, int from, int length) throws LayerException;

    /** Returns the bytes read from the file, 0 at its end. */
    static native long pumpApply(long apply, long file, long maxBytes) throws LayerException;

    /** Fills {sizeBytes, blobBytes, tarBytes, alreadyThere} and {diffId, blobDigest}; returns the warnings. */
    static native String[] finishApply(long apply, long[] numbers, @Nullable String[] texts) throws LayerException;

    /** Fills {bytes, entries}. */
    static native void applyProgress(long apply, long[] out);

    static native void cancelApply(long apply);

    static native void freeApply(long apply);

    static native long openInput(String path) throws LayerException;

    static native long createOutput(String path) throws LayerException;

    static native void freeFile(long file);

    static native long liveHandles();

    static native long calls();

    /** Native bytes of this library: {now, high water}. */
    static native long[] memory();
}
