package dev.wclayer.internal;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;

class BufferPoolTest {
    /** As native/src/base/page_buffer.h has it: elsewhere some processors read files seven times slower. */
    @Test
    void buffersBegin64BytesBehindTheStartOfAPage() {
        BufferPool pool = new BufferPool();
        for (int i = 0; i < 3; i++) {
            ByteBuffer buffer = pool.take();
            assertThat(buffer.alignmentOffset(0, 4096)).isEqualTo(64);
            assertThat(buffer.capacity()).isEqualTo(BufferPool.SLAB_BYTES);
            assertThat(buffer.order()).isEqualTo(ByteOrder.LITTLE_ENDIAN);
            assertThat(buffer.isDirect()).isTrue();
        }
    }

    @Test
    void whatIsGivenBackIsTakenAgain() {
        BufferPool pool = new BufferPool();
        ByteBuffer buffer = pool.take();
        buffer.position(10).limit(20);
        pool.give(buffer);
        assertThat(pool.take()).isSameAs(buffer).satisfies(taken -> {
            assertThat(taken.position()).isZero();
            assertThat(taken.limit()).isEqualTo(BufferPool.SLAB_BYTES);
        });
        pool.close();
        pool.give(buffer);
        assertThat(pool.take()).isNotSameAs(buffer);
    }
}
