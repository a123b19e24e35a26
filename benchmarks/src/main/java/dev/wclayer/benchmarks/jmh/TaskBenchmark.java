package dev.wclayer.benchmarks.jmh;

import dev.wclayer.benchmarks.compare.Workshop;
import dev.wclayer.benchmarks.task.Task;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** A task under JMH; its output is compared with the reference's before anything is timed. */
@State(Scope.Benchmark)
@Fork(1)
@Warmup(iterations = 2, time = 2)
@Measurement(iterations = 5, time = 2)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
public abstract class TaskBenchmark {
    private Workshop workshop;
    private Task task;

    /** The task that the parameters name. */
    abstract Task task(Workshop shop) throws IOException;

    /** What its output is held against: the first subject's. */
    abstract Task reference(Workshop shop) throws IOException;

    /**
     * Sets up and compares.
     *
     * @throws IOException if a task fails, or the outputs differ
     */
    @Setup
    public void setUp() throws IOException {
        workshop = Shop.open();
        task = task(workshop);
        List<String> contents = task.contents();
        List<String> expected = reference(workshop).contents();
        if (!contents.isEmpty() && !contents.equals(expected)) {
            throw new IOException(task.name() + " produces something else than the reference");
        }
    }

    /**
     * Before each call, not timed.
     *
     * @throws IOException if it fails
     */
    @Setup(Level.Invocation)
    public void prepare() throws IOException {
        task.prepare();
    }

    /**
     * The job.
     *
     * @return the bytes that came out
     * @throws IOException if it fails
     */
    @Benchmark
    public long run() throws IOException {
        return task.run();
    }

    /**
     * After each call, not timed.
     *
     * @throws IOException if it fails
     */
    @TearDown(Level.Invocation)
    public void cleanup() throws IOException {
        task.cleanup();
    }

    /**
     * Takes everything down.
     *
     * @throws IOException if something cannot be removed
     */
    @TearDown
    public void tearDown() throws IOException {
        workshop.close();
    }
}
