package dev.wclayer.internal;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/** The direct buffers of one driver, each of one slab. A few are kept for the next stream; the rest are let go. */
public final class BufferPool {
    /** Bytes of one buffer: what crosses to the native core in one call. */
    public static final int SLAB_BYTES = 1 << 20;

    private static final int KEPT = 4;
    private static final int PAGE_BYTES = 4096;
    /** Where a buffer begins in its page of memory; why there: native/src/base/page_buffer.h. */
    private static final int PLACE_IN_PAGE = 64;

    private final ArrayDeque<ByteBuffer> free = new ArrayDeque<>(KEPT);
    private boolean closed;

    /** A buffer of {@link #SLAB_BYTES}, empty, little-endian. */
    public ByteBuffer take() {
        synchronized (this) {
            @Nullable ByteBuffer kept = free.pollFirst();
            if (kept != null) {
                return kept.clear();
            }
        }
        return ByteBuffer.allocateDirect(SLAB_BYTES + 2 * PAGE_BYTES)
                .alignedSlice(PAGE_BYTES)
                .slice(PLACE_IN_PAGE, SLAB_BYTES)
                .order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Gives back what {@link #take()} gave. Nobody may use the buffer any more. */
    public synchronized void give(ByteBuffer buffer) {
        if (!closed && free.size() < KEPT) {
            free.addFirst(buffer);
        }
    }

    /** Keeps nothing from here on. */
    public synchronized void close() {
        closed = true;
        free.clear();
    }
}
