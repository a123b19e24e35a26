package dev.wclayer;

import static dev.wclayer.LayerTars.bytes;
import static dev.wclayer.LayerTars.sha256;
import static dev.wclayer.LayerTars.stream;
import static dev.wclayer.LayerTars.tar;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** L8, S5 and J5 from Java: several threads on one layer, many layers at once, closing what is in use. */
class ConcurrencyTest extends DriverTestCase {
    private static final byte[] BASE = tar(tar -> {
        byte[] noise = new byte[3 << 20];
        new Random(11).nextBytes(noise);
        tar.file("Files/noise.bin", noise);
        tar.file("Files/a.txt", bytes("a"));
    });

    @Override
    Map<String, String> options() {
        return Map.of("durability", "none");
    }

    @Test
    void twoThreadsMountOneLayer() throws Exception {
        WindowsDriver driver = open();
        driver.applyDiff("base", "", stream(BASE));
        driver.createReadWrite("box", "base");
        atOnce(4, thread -> {
            for (int i = 0; i < 20; i++) {
                try (LayerMount mount = driver.mount("box")) {
                    assertThat(mount.path().resolve("a.txt")).hasContent("a");
                    Files.writeString(mount.path().resolve("file-" + thread), "round " + i);
                }
            }
            return null;
        });
        driver.remove("box");
    }

    @Test
    void twoThreadsReadAndMountOneLayer() throws Exception {
        WindowsDriver driver = open();
        driver.applyDiff("base", "", stream(BASE));
        driver.createReadWrite("box", "base");
        try (LayerMount mount = driver.mount("box")) {
            Files.writeString(mount.path().resolve("new.txt"), "new");
        }
        atOnce(4, thread -> {
            for (int i = 0; i < 10; i++) {
                if (thread % 2 == 0) {
                    assertThat(read(driver.diff("box", "base"))).isNotEmpty();
                    assertThat(driver.changes("box", "base"))
                            .extracting(Change::path)
                            .containsExactly("Files", "Files/new.txt");
                } else {
                    LayerMount mount = driver.mount("box");
                    assertThat(mount.path().resolve("new.txt")).hasContent("new");
                    closeWhenNotRead(mount);
                }
            }
            return null;
        });
        driver.remove("box");
    }

    @Test
    void manyLayersAtOnce() throws Exception {
        WindowsDriver driver = open();
        driver.applyDiff("base", "", stream(BASE));
        atOnce(4, thread -> {
            for (int i = 0; i < 6; i++) {
                String id = "layer-" + thread + "-" + i;
                byte[] own = tar(tar -> tar.file("Files/own.txt", bytes(id)));
                assertThat(driver.applyDiff(id, "base", stream(own)).diffId()).isEqualTo(sha256(own));
                assertThat(read(driver.diff(id, "base"))).isEqualTo(own);
                driver.createReadWrite(id + "-box", id);
                try (LayerMount mount = driver.mount(id + "-box")) {
                    assertThat(mount.path().resolve("own.txt")).hasContent(id);
                }
                driver.remove(id + "-box");
                if (i % 2 == 0) {
                    driver.remove(id);
                }
            }
            return null;
        });
        assertThat(driver.list()).hasSize(1 + 4 * 3);
        assertThat(driver.verify()).isEmpty();
    }

    /** S5: who expects the same digest shares one unpack. */
    @Test
    void racingAppliesOfOneDigestUnpackOnce() throws Exception {
        WindowsDriver driver = open();
        ApplyOptions expected = ApplyOptions.DEFAULT.withExpectedDiffId(sha256(BASE));
        AtomicInteger unpacked = new AtomicInteger();
        atOnce(5, thread -> {
            ApplyResult result = driver.applyDiff("base", "", stream(BASE), expected);
            assertThat(result.diffId()).isEqualTo(sha256(BASE));
            if (!result.alreadyThere()) {
                unpacked.incrementAndGet();
            }
            return null;
        });
        assertThat(unpacked).hasValue(1);
        assertThat(read(driver.diff("base", ""))).isEqualTo(BASE);
    }

    /** Who waits for another's unpack can be called off, by its token and by an interrupt, and the other goes on. */
    @Test
    void aWaitForAnUnpackEndsWhenItIsCancelled() throws Exception {
        WindowsDriver driver = open();
        ApplyOptions expected = ApplyOptions.DEFAULT.withExpectedDiffId(sha256(BASE));
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        InputStream slow = new SequenceInputStream(
                stream(Arrays.copyOf(BASE, 4096)),
                new LatchedStream(begun, goOn, stream(Arrays.copyOfRange(BASE, 4096, BASE.length))));
        ExecutorService pool = Executors.newFixedThreadPool(3);
        try {
            Future<ApplyResult> first = pool.submit(() -> driver.applyDiff("base", "", slow, expected));
            begun.await();
            CancellationToken token = new CancellationToken();
            Future<ApplyResult> waiting =
                    pool.submit(() -> driver.applyDiff("base", "", stream(BASE), expected.withCancellation(token)));
            CompletableFuture<Thread> thread = new CompletableFuture<>();
            Future<ApplyResult> interrupted = pool.submit(() -> {
                thread.complete(Thread.currentThread());
                return driver.applyDiff("base", "", stream(BASE), expected);
            });
            token.cancel();
            assertThatThrownBy(waiting::get).hasCauseInstanceOf(OperationCancelledException.class);
            thread.get().interrupt();
            assertThatThrownBy(interrupted::get).hasCauseInstanceOf(OperationCancelledException.class);
            goOn.countDown();
            assertThat(first.get().diffId()).isEqualTo(sha256(BASE));
        } finally {
            goOn.countDown();
            pool.shutdownNow();
        }
    }

    /** Says when it is first read, and holds what follows back until it is let go on. */
    private static final class LatchedStream extends FilterInputStream {
        private final CountDownLatch begun;
        private final CountDownLatch goOn;

        LatchedStream(CountDownLatch begun, CountDownLatch goOn, InputStream rest) {
            super(rest);
            this.begun = begun;
            this.goOn = goOn;
        }

        @Override
        public int read(byte[] buffer, int from, int length) throws IOException {
            begun.countDown();
            try {
                goOn.await();
            } catch (InterruptedException stop) {
                throw new IOException(stop);
            }
            return super.read(buffer, from, length);
        }
    }

    @Test
    void closingADiffThatIsBeingRead() throws Exception {
        WindowsDriver driver = open();
        driver.applyDiff("base", "", stream(BASE));
        for (int round = 0; round < 20; round++) {
            LayerDiff diff = driver.diff("base", "");
            CountDownLatch reading = new CountDownLatch(1);
            ExecutorService pool = Executors.newSingleThreadExecutor();
            try {
                Future<?> reader = pool.submit(() -> {
                    reading.countDown();
                    byte[] some = new byte[1000];
                    long sum = 0;
                    for (int count = diff.read(some); count >= 0; count = diff.read(some)) {
                        sum += count;
                    }
                    return sum;
                });
                reading.await();
                diff.close();
                try {
                    reader.get();
                } catch (ExecutionException failed) {
                    assertThat(failed.getCause())
                            .isInstanceOfAny(
                                    IOException.class, IllegalStateException.class); // closed, or cancelled on the way
                }
            } finally {
                pool.shutdown();
            }
        }
        driver.remove("base");
    }

    @Test
    void closingADriverThatIsInUse() throws Exception {
        for (int round = 0; round < 10; round++) {
            WindowsDriver driver = open(folder.resolve("home-" + round), options());
            driver.applyDiff("base", "", stream(BASE));
            CyclicBarrier start = new CyclicBarrier(4);
            atOnce(4, thread -> {
                start.await();
                try {
                    for (int i = 0; i < 50; i++) {
                        if (thread == 0 && i == 10) {
                            driver.close();
                        }
                        try (InputStream in = driver.diff("base", "")) {
                            assertThat(in.read()).isNotNegative();
                        }
                    }
                } catch (IllegalStateException closed) {
                    assertThat(closed).hasMessage("the driver is closed");
                }
                return null;
            });
        }
    }

    /** The last Put of a layer is refused while a Diff of it is open (store §7); it can be tried again. */
    private static void closeWhenNotRead(LayerMount mount) throws Exception {
        while (true) {
            try {
                mount.close();
                return;
            } catch (LayerBusyException beingRead) {
                Thread.sleep(1);
            }
        }
    }

    private static void atOnce(int threads, Work work) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        try {
            List<Future<?>> running = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                int thread = i;
                running.add(pool.submit(() -> work.of(thread)));
            }
            // All of them end before a failure of one is told, so that nothing runs on into the clean-up.
            List<ExecutionException> failures = new ArrayList<>();
            for (Future<?> each : running) {
                try {
                    each.get();
                } catch (ExecutionException failed) {
                    failures.add(failed);
                }
            }
            if (!failures.isEmpty()) {
                throw failures.get(0);
            }
        } finally {
            pool.shutdown();
        }
    }

    @FunctionalInterface
    private interface Work {
        @Nullable
        Object of(int thread) throws Exception;
    }
}
