package dev.wclayer.benchmarks.jmh;

import dev.wclayer.DiffOptions;
import dev.wclayer.LayerDiff;
import dev.wclayer.benchmarks.compare.Workshop;
import dev.wclayer.benchmarks.task.Stage;
import dev.wclayer.internal.NativeCounters;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** What does the way from Java to the core and back cost, apart from the work that is done there? */
@Fork(1)
@Warmup(iterations = 2, time = 2)
@Measurement(iterations = 5, time = 2)
@BenchmarkMode(Mode.AverageTime)
public class JniBenchmark {
    /** A Diff that is ready to be read. */
    @State(Scope.Benchmark)
    public static class Layer {
        /** How large the caller's buffer is. */
        @Param({"4096", "65536", "1048576"})
        public int buffer;

        private Workshop workshop;
        private Stage stage;
        private byte[] bytes;

        /**
         * Applies the layer.
         *
         * @throws IOException if it cannot be applied
         */
        @Setup
        public void setUp() throws IOException {
            workshop = Shop.open();
            stage = workshop.stage("nano/10");
            bytes = new byte[buffer];
        }

        /**
         * Removes it.
         *
         * @throws IOException if it cannot be removed
         */
        @TearDown
        public void tearDown() throws IOException {
            workshop.close();
        }

        private LayerDiff open() throws IOException {
            return stage.driver().diff(Stage.BASE, null, DiffOptions.DEFAULT.withRebuild(true));
        }
    }

    /**
     * A call that does next to nothing.
     *
     * @return the live handles
     */
    @Benchmark
    @OutputTimeUnit(TimeUnit.NANOSECONDS)
    public long emptyCall() {
        return NativeCounters.liveHandles();
    }

    /**
     * A Diff read into an array of the caller's.
     *
     * @param layer the layer
     * @return its bytes
     * @throws IOException if it cannot be read
     */
    @Benchmark
    @OutputTimeUnit(TimeUnit.MILLISECONDS)
    public long readIntoArray(Layer layer) throws IOException {
        long total = 0;
        try (LayerDiff diff = layer.open()) {
            for (int count = diff.read(layer.bytes); count >= 0; count = diff.read(layer.bytes)) {
                total += count;
            }
        }
        return total;
    }

    /**
     * The same Diff written natively into a file that swallows it: its bytes never reach Java.
     *
     * @param layer the layer
     * @return its bytes
     * @throws IOException if it cannot be written
     */
    @Benchmark
    @OutputTimeUnit(TimeUnit.MILLISECONDS)
    public long writeNatively(Layer layer) throws IOException {
        try (LayerDiff diff = layer.open()) {
            return diff.transferTo(Path.of("/dev/null"));
        }
    }
}
