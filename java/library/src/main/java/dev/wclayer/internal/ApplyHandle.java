package dev.wclayer.internal;

import dev.wclayer.LayerException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** An ApplyDiff under way. One writer at a time; {@link #cancel()} from anywhere; closed unfinished, it is undone. */
public final class ApplyHandle implements AutoCloseable {
    private final NativeHandle handle;

    ApplyHandle(NativeHandle driver, long address) {
        handle = DriverHandle.childOf(driver, "the import", address, Natives::freeApply);
    }

    /** Whether the layer is there already, so that {@link #finish()} can follow at once. */
    public boolean alreadyThere() throws LayerException {
        return handle.call(Natives::applyAlreadyThere);
    }

    /** Takes bytes of the archive from a part of a direct buffer. */
    public void write(ByteBuffer buffer, int from, int length) throws LayerException {
        handle.run(apply -> Natives.writeApply(apply, buffer, from, length));
    }

    /** Takes at most {@code maxBytes} from the file; returns how many, 0 at its end. */
    public long pump(FileHandle file, long maxBytes) throws LayerException {
        return handle.call(apply -> file.call(in -> Natives.pumpApply(apply, in, maxBytes)));
    }

    /** Makes the layer visible. */
    public Result finish() throws LayerException {
        long[] numbers = new long[4];
        @Nullable String[] texts = new @Nullable String[2];
        String[] warnings = handle.call(apply -> Natives.finishApply(apply, numbers, texts));
        return new Result(
                numbers[0],
                Objects.requireNonNull(texts[0]),
                Objects.requireNonNull(texts[1]),
                numbers[1],
                numbers[2],
                numbers[3] != 0,
                List.of(warnings));
    }

    /** Fills {tar bytes, entries}. */
    public void progress(long[] out) throws LayerException {
        handle.run(apply -> Natives.applyProgress(apply, out));
    }

    /** Makes the running write and all later ones fail. */
    public void cancel() {
        handle.runIfOpen(Natives::cancelApply);
    }

    @Override
    public void close() {
        handle.close();
    }

    /** What became of the archive. */
    public record Result(
            long sizeBytes,
            String diffId,
            String blobDigest,
            long blobBytes,
            long tarBytes,
            boolean alreadyThere,
            List<String> warnings) {}
}
