package dev.wclayer.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** J5: nothing a running call uses is freed, and everything is freed once. */
class NativeHandleTest {
    private static final long ADDRESS = 0x1234;

    @Test
    void closingFreesOnce() {
        List<Long> freed = new ArrayList<>();
        NativeHandle handle = new NativeHandle("the thing", ADDRESS, freed::add);
        handle.close();
        handle.close();
        assertThat(freed).containsExactly(ADDRESS);
        assertThat(handle.closed()).isTrue();
    }

    @Test
    void aUseAfterCloseIsRefusedByName() {
        NativeHandle handle = new NativeHandle("the thing", ADDRESS, address -> {});
        handle.close();
        assertThatThrownBy(handle::enter)
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("the thing is closed");
        AtomicBoolean ran = new AtomicBoolean();
        handle.runIfOpen(address -> ran.set(true));
        assertThat(ran).isFalse();
    }

    @Test
    void closingDuringACallFreesWhenTheCallEnds() {
        AtomicInteger freed = new AtomicInteger();
        NativeHandle handle = new NativeHandle("the thing", ADDRESS, address -> freed.incrementAndGet());
        assertThat(handle.enter()).isEqualTo(ADDRESS);
        handle.close();
        assertThat(freed).hasValue(0);
        handle.exit();
        assertThat(freed).hasValue(1);
    }

    @Test
    void aChildKeepsItsDriver() {
        List<String> freed = new ArrayList<>();
        NativeHandle driver = new NativeHandle("the driver", ADDRESS, address -> freed.add("driver"));
        driver.enter();
        NativeHandle child = DriverHandle.childOf(driver, "the stream", ADDRESS + 1, address -> freed.add("child"));
        driver.close(); // also between entering and making the child this must not fail
        driver.exit();
        assertThat(freed).isEmpty();
        child.close();
        assertThat(freed).containsExactly("child", "driver");
    }

    @Test
    void manyThreadsMayUseAndCloseAtOnce() throws Exception {
        int threads = 4;
        for (int round = 0; round < 200; round++) {
            AtomicLong inUse = new AtomicLong();
            AtomicInteger freed = new AtomicInteger();
            AtomicBoolean freedInUse = new AtomicBoolean();
            NativeHandle handle = new NativeHandle("the thing", ADDRESS, address -> {
                freed.incrementAndGet();
                freedInUse.compareAndSet(false, inUse.get() != 0);
            });
            CountDownLatch start = new CountDownLatch(1);
            ExecutorService pool = Executors.newFixedThreadPool(threads);
            List<Future<?>> uses = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                boolean closer = i == threads - 1;
                uses.add(pool.submit(() -> {
                    start.await();
                    for (int n = 0; n < 50; n++) {
                        if (closer && n == 25) {
                            handle.close();
                        }
                        use(handle, inUse);
                    }
                    return null;
                }));
            }
            start.countDown();
            for (Future<?> use : uses) {
                use.get();
            }
            pool.shutdown();
            assertThat(pool.awaitTermination(1, TimeUnit.MINUTES)).isTrue();
            assertThat(freed).hasValue(1);
            assertThat(freedInUse).isFalse();
        }
    }

    private static void use(NativeHandle handle, AtomicLong inUse) {
        try {
            handle.enter();
        } catch (IllegalStateException closed) {
            return;
        }
        inUse.incrementAndGet();
        inUse.decrementAndGet();
        handle.exit();
    }
}
