package dev.wclayer.internal;

import dev.wclayer.LayerException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/** The native driver. Its streams and queries keep it alive: closing it frees it when the last of them is closed. */
public final class DriverHandle implements AutoCloseable {
    private final NativeHandle handle;
    private final BufferPool buffers = new BufferPool();

    private DriverHandle(long address) {
        handle = new NativeHandle("the driver", address, Natives::freeDriver);
    }

    /** Loads the native library if that has not happened, and opens a home. */
    public static DriverHandle open(String home, int flavour, int backend, String[] options) throws LayerException {
        NativeLibrary.ensureLoaded();
        return new DriverHandle(Natives.open(home, flavour, backend, options));
    }

    /** A handle on something that lives inside {@code driver}, which therefore stays until it is freed. */
    static NativeHandle childOf(NativeHandle driver, String what, long address, LongConsumer free) {
        driver.retain();
        return new NativeHandle(what, address, child -> {
            try {
                free.accept(child);
            } finally {
                driver.exit();
            }
        });
    }

    /** The buffers of this driver's streams. */
    public BufferPool buffers() {
        return buffers;
    }

    /** Whether {@link #close()} has been called. */
    public boolean closed() {
        return handle.closed();
    }

    /** windowsfilter or windowsdiff. */
    public String name() throws LayerException {
        return handle.call(Natives::name);
    }

    /** Exists. */
    public boolean exists(String id) throws LayerException {
        return handle.call(driver -> Natives.exists(driver, id));
    }

    /** Create and CreateReadWrite. */
    public void create(String id, String parent, boolean writable, long sizeBytes) throws LayerException {
        handle.run(driver -> Natives.create(driver, id, parent, writable, sizeBytes));
    }

    /** Get. */
    public String get(String id, boolean detached) throws LayerException {
        return handle.call(driver -> Natives.get(driver, id, detached));
    }

    /** Put. */
    public void put(String id) throws LayerException {
        handle.run(driver -> Natives.put(driver, id));
    }

    /** Remove. */
    public void remove(String id, boolean force) throws LayerException {
        handle.run(driver -> Natives.remove(driver, id, force));
    }

    /** DiffSize. */
    public long diffSize(String id, @Nullable String parent) throws LayerException {
        return handle.call(driver -> Natives.diffSize(driver, id, parent));
    }

    /** DiffPath. */
    public String diffPath(String id) throws LayerException {
        return handle.call(driver -> Natives.diffPath(driver, id));
    }

    /** The release of DiffPath. */
    public void releaseDiffPath(String path) throws LayerException {
        handle.run(driver -> Natives.releaseDiffPath(driver, path));
    }

    /** DiffPath into a folder of the caller's. */
    public void diffPathTo(String id, String folder) throws LayerException {
        handle.run(driver -> Natives.diffPathTo(driver, id, folder));
    }

    /** Registers a base image. */
    public void addBaseImage(String folder) throws LayerException {
        handle.run(driver -> Natives.addBaseImage(driver, folder));
    }

    /** Asks a query and hands each record of the answer to {@code sink}. */
    public <T> void query(
            Query query,
            @Nullable String a,
            @Nullable String b,
            RecordReader.Reader<T> reader,
            Consumer<? super T> sink)
            throws LayerException {
        try (CursorHandle cursor =
                handle.call(driver -> new CursorHandle(handle, Natives.query(driver, query.number, a, b)))) {
            cursor.readAll(buffers, reader, sink);
        }
    }

    /** Asks a query and collects the answer. */
    public <T> List<T> query(Query query, @Nullable String a, @Nullable String b, RecordReader.Reader<T> reader)
            throws LayerException {
        List<T> items = new ArrayList<>();
        query(query, a, b, reader, items::add);
        return items;
    }

    /** Opens a Diff. */
    public SourceHandle openDiff(
            String id,
            @Nullable String parent,
            int format,
            int compression,
            int level,
            int threads,
            boolean rebuild,
            boolean digests)
            throws LayerException {
        return handle.call(driver -> new SourceHandle(
                handle, Natives.openDiff(driver, id, parent, format, compression, level, threads, rebuild, digests)));
    }

    /** Opens one stream of one file; "" is its main data. */
    public SourceHandle openFile(String id, String path, String stream) throws LayerException {
        return handle.call(driver -> new SourceHandle(handle, Natives.openFile(driver, id, path, stream)));
    }

    /**
     * Opens an ApplyDiff; "" means that any digest will do. Empty if another call has been unpacking the same layer
     * for a while (some 100 ms): ask again.
     */
    public Optional<ApplyHandle> openApply(
            String id, @Nullable String parent, String diffId, String blobDigest, String osVersion)
            throws LayerException {
        return handle.call(driver -> {
            long apply = Natives.openApply(driver, id, parent, diffId, blobDigest, osVersion);
            return apply == 0 ? Optional.empty() : Optional.of(new ApplyHandle(handle, apply));
        });
    }

    /** Opens a repair; "" means that the recorded digest is enough. */
    public ApplyHandle openRepair(String id, String diffId, String blobDigest) throws LayerException {
        return handle.call(driver -> new ApplyHandle(handle, Natives.openRepair(driver, id, diffId, blobDigest)));
    }

    @Override
    public void close() {
        handle.close();
        buffers.close();
    }
}
