package dev.wclayer.internal;

import dev.wclayer.LayerException;
import java.nio.ByteBuffer;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Bytes to read: a Diff, or one stream of a file. One reader at a time; {@link #cancel()} from anywhere. */
public final class SourceHandle implements AutoCloseable {
    private final NativeHandle handle;

    SourceHandle(NativeHandle driver, long address) {
        handle = DriverHandle.childOf(driver, "the stream", address, Natives::freeSource);
    }

    /** Fills a part of a direct buffer; returns the bytes read, -1 at the end. */
    public int read(ByteBuffer buffer, int from, int length) throws LayerException {
        return handle.call(source -> Natives.readSource(source, buffer, from, length));
    }

    /** Moves at most {@code maxBytes} into the file; returns how many, 0 at the end. */
    public long pump(FileHandle file, long maxBytes) throws LayerException {
        return handle.call(source -> file.call(out -> Natives.pumpSource(source, out, maxBytes)));
    }

    /** What a Diff is known to be after its end. */
    public Result result() throws LayerException {
        long[] numbers = new long[2];
        @Nullable String[] texts = new @Nullable String[2];
        handle.run(source -> Natives.sourceResult(source, numbers, texts));
        return new Result(Objects.requireNonNull(texts[0]), Objects.requireNonNull(texts[1]), numbers[0], numbers[1]);
    }

    /** Fills {tar bytes, entries}. */
    public void progress(long[] out) throws LayerException {
        handle.run(source -> Natives.sourceProgress(source, out));
    }

    /** Makes the running read and all later ones fail. */
    public void cancel() {
        handle.runIfOpen(Natives::cancelSource);
    }

    @Override
    public void close() {
        handle.close();
    }

    /** Digests and sizes of a Diff. */
    public record Result(String diffId, String blobDigest, long tarBytes, long blobBytes) {}
}
