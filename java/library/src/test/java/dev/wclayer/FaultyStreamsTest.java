package dev.wclayer;

import static dev.wclayer.LayerTars.bytes;
import static dev.wclayer.LayerTars.stream;
import static dev.wclayer.LayerTars.tar;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.SortedMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Supplier;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Streams of callers that break, lie or stall at any byte: the failure they meant, and the store as before. */
class FaultyStreamsTest extends DriverTestCase {
    private static final byte[] BASE = tar(tar -> {
        byte[] noise = new byte[2 << 20];
        new Random(5).nextBytes(noise);
        tar.file("Files/noise.bin", noise);
        tar.file("Files/a.txt", bytes("a"));
    });

    private WindowsDriver driver;
    private SortedMap<String, String> before;

    @Override
    Map<String, String> options() {
        return Map.of("durability", "none");
    }

    @BeforeEach
    void fill() throws IOException {
        driver = open();
        driver.applyDiff("base", "", stream(BASE));
        before = StoreSnapshot.of(home);
    }

    private void isAsBefore() throws IOException {
        assertThat(StoreSnapshot.of(home)).isEqualTo(before);
        assertThat(driver.exists("new")).isFalse();
    }

    /** The layer's bytes up to a point, then what {@code then} does. */
    private static final class Broken extends InputStream {
        private final InputStream good;
        private final int most;
        private final Then then;

        Broken(int good, int most, Then then) {
            this.good = stream(Arrays.copyOf(BASE, good));
            this.most = most;
            this.then = then;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] target, int offset, int length) throws IOException {
            int count = good.read(target, offset, Math.min(length, most));
            return count > 0 ? count : then.read(length);
        }
    }

    @FunctionalInterface
    private interface Then {
        int read(int length) throws IOException;
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 511, 512, 600, 100_000, 1 << 20, (1 << 20) + 512, 2 << 20})
    void anInputThatThrows(int good) throws IOException {
        for (Throwable thrown : new Throwable[] {
            new IOException("the network is down"), new IllegalStateException("a bug"), new OutOfMemoryError("no heap")
        }) {
            InputStream in = new Broken(good, 4096, length -> {
                if (thrown instanceof IOException broken) {
                    throw broken;
                }
                if (thrown instanceof Error error) {
                    throw error;
                }
                throw (IllegalStateException) thrown;
            });
            assertThat(catchThrowable(() -> driver.applyDiff("new", "base", in)))
                    .as("after %s bytes", good)
                    .isSameAs(thrown);
            isAsBefore();
        }
    }

    @Test
    void anInputThatSaysItReadMoreThanFits() throws IOException {
        assertThatThrownBy(
                        () -> driver.applyDiff("new", "base", new Broken(70_000, 1 << 20, length -> Integer.MAX_VALUE)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("the stream says that it read");
        isAsBefore();
    }

    @Test
    void anInputOfSingleBytesAndEmptyReads() throws IOException {
        byte[] small = tar(tar -> tar.file("Files/a.txt", bytes("a".repeat(3000))));
        Random random = new Random(7);
        InputStream good = stream(small);
        ReadableByteChannel trickle = new Channel(target -> {
            int value = random.nextInt(3) == 0 ? 0 : 1;
            if (value == 0) {
                return 0;
            }
            int next = good.read();
            if (next < 0) {
                return -1;
            }
            target.put((byte) next);
            return 1;
        });
        assertThat(driver.applyDiff("new", "base", trickle).diffId()).isEqualTo(LayerTars.sha256(small));
        assertThat(read(driver.diff("new", "base"))).isEqualTo(small);
    }

    /** One that has nothing and says so for ever holds nobody who does not want to wait. */
    @Test
    void anInputThatNeverGoesOnCanBeCalledOff() throws Exception {
        CountDownLatch stalled = new CountDownLatch(2);
        Supplier<InputStream> stalling = () -> new Broken(100_000, 4096, length -> {
            stalled.countDown();
            return 0;
        });
        CancellationToken token = new CancellationToken();
        ExecutorService pool = Executors.newFixedThreadPool(2);
        try {
            Future<?> cancelled = pool.submit(() ->
                    driver.applyDiff("new", "base", stalling.get(), ApplyOptions.DEFAULT.withCancellation(token)));
            Future<?> interrupted = pool.submit(() -> driver.applyDiff("other", "base", stalling.get()));
            stalled.await();
            token.cancel();
            assertThat(causeOf(cancelled)).isInstanceOf(OperationCancelledException.class);
            pool.shutdownNow(); // interrupts the other
            assertThat(causeOf(interrupted)).isInstanceOf(OperationCancelledException.class);
        } finally {
            pool.shutdownNow();
        }
        isAsBefore();
    }

    private static Throwable causeOf(Future<?> call) throws InterruptedException {
        try {
            call.get();
        } catch (ExecutionException failed) {
            return Objects.requireNonNull(failed.getCause());
        }
        throw new AssertionError("it did not fail");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 4096, 1 << 20})
    void anOutputThatBreaks(int good) throws IOException {
        IOException full = new IOException("the pipe is closed");
        OutputStream out = new OutputStream() {
            private int room = good;

            @Override
            public void write(int value) throws IOException {
                write(new byte[] {(byte) value}, 0, 1);
            }

            @Override
            public void write(byte[] source, int offset, int length) throws IOException {
                if (length > room) {
                    throw full;
                }
                room -= length;
            }
        };
        try (LayerDiff diff = driver.diff("base", "")) {
            assertThatThrownBy(() -> diff.transferTo(out)).isSameAs(full);
        }
        WritableByteChannel channel = new BrokenChannel(full);
        try (LayerDiff diff = driver.diff("base", "")) {
            assertThatThrownBy(() -> diff.transferTo(channel)).isSameAs(full);
        }
        isAsBefore();
        assertThat(read(driver.diff("base", ""))).isEqualTo(BASE);
        driver.remove("base"); // nobody reads it any more
    }

    @Test
    void aDiffWhoseReaderIsInterruptedOrGivesUp() throws IOException {
        for (int round = 0; round < 10; round++) {
            try (LayerDiff diff = driver.diff("base", "")) {
                assertThat(diff.readNBytes(round * 100_000)).hasSize(round * 100_000);
                if (round % 2 == 0) {
                    Thread.currentThread().interrupt();
                    assertThatThrownBy(diff::readAllBytes).isInstanceOf(OperationCancelledException.class);
                    assertThat(Thread.interrupted()).isTrue();
                }
            }
        }
        isAsBefore();
        driver.remove("base");
    }

    @Test
    void aProgressListenerThatThrows() throws IOException {
        IllegalStateException bug = new IllegalStateException("a listener's bug");
        ApplyOptions options = ApplyOptions.DEFAULT.withProgress((bytes, entries) -> {
            throw bug;
        });
        assertThatThrownBy(() -> driver.applyDiff("new", "base", stream(BASE), options))
                .isSameAs(bug);
        isAsBefore();
    }

    private static final class Channel implements ReadableByteChannel {
        private final ArchiveFeeder.Source source;

        Channel(ArchiveFeeder.Source source) {
            this.source = source;
        }

        @Override
        public int read(ByteBuffer target) throws IOException {
            return source.read(target);
        }

        @Override
        public boolean isOpen() {
            return true;
        }

        @Override
        public void close() {}
    }

    private static final class BrokenChannel implements WritableByteChannel {
        private final IOException failure;

        BrokenChannel(IOException failure) {
            this.failure = failure;
        }

        @Override
        public int write(ByteBuffer source) throws IOException {
            throw failure;
        }

        @Override
        public boolean isOpen() {
            return true;
        }

        @Override
        public void close() {}
    }
}
