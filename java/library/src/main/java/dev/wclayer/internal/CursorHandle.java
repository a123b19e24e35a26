package dev.wclayer.internal;

import dev.wclayer.LayerException;
import dev.wclayer.LimitExceededException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.Consumer;

/** The answer to a query, read batch by batch. */
final class CursorHandle implements AutoCloseable {
    private static final int MAX_BUFFER_BYTES = 64 << 20; // far beyond the largest record that the limits allow

    private final NativeHandle handle;

    CursorHandle(NativeHandle driver, long address) {
        handle = DriverHandle.childOf(driver, "the query", address, Natives::freeCursor);
    }

    /** Hands every record to {@code sink}. */
    <T> void readAll(BufferPool pool, RecordReader.Reader<T> reader, Consumer<? super T> sink) throws LayerException {
        ByteBuffer slab = pool.take();
        try {
            ByteBuffer buffer = slab;
            for (; ; ) {
                int count;
                try {
                    count = read(buffer);
                } catch (LimitExceededException tooSmall) {
                    if (buffer.capacity() >= MAX_BUFFER_BYTES) {
                        throw tooSmall;
                    }
                    // The record stays pending on the other side.
                    buffer = ByteBuffer.allocateDirect(2 * buffer.capacity()).order(ByteOrder.LITTLE_ENDIAN);
                    continue;
                }
                if (count == 0) {
                    return;
                }
                decode(buffer, count, reader, sink);
            }
        } finally {
            pool.give(slab);
        }
    }

    private int read(ByteBuffer buffer) throws LayerException {
        return handle.call(cursor -> Natives.readRecords(cursor, buffer, 0, buffer.capacity()));
    }

    /** Takes the batch of whole records in the first {@code count} bytes apart. */
    static <T> void decode(ByteBuffer buffer, int count, RecordReader.Reader<T> reader, Consumer<? super T> sink) {
        ByteBuffer batch =
                buffer.duplicate().order(ByteOrder.LITTLE_ENDIAN).clear().limit(count);
        while (batch.hasRemaining()) {
            if (batch.remaining() < Integer.BYTES) {
                throw new InternalError("wclayer: a batch of native records ends within a length");
            }
            int length = batch.getInt();
            if (length < 0 || length > batch.remaining()) {
                throw new InternalError("wclayer: a native record of " + Integer.toUnsignedString(length)
                        + " bytes in a batch with " + batch.remaining() + " left");
            }
            RecordReader record =
                    new RecordReader(batch.slice(batch.position(), length).order(ByteOrder.LITTLE_ENDIAN));
            T item = reader.read(record);
            if (!record.atEnd()) {
                throw new InternalError("wclayer: a native record is longer than its fields");
            }
            sink.accept(item);
            batch.position(batch.position() + length);
        }
    }

    @Override
    public void close() {
        handle.close();
    }
}
