package dev.wclayer.benchmarks.compare;

import dev.wclayer.benchmarks.task.Task;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/** A task on the clock. */
final class TimedTask implements Subject {
    private static final int STARTS = 5;

    private final Task task;

    TimedTask(Task task) {
        this.task = task;
    }

    @Override
    public String name() {
        return task.name();
    }

    @Override
    public double measure() throws IOException {
        return seconds(task);
    }

    @Override
    public List<String> contents() throws IOException {
        return task.contents();
    }

    @Override
    public double start() throws IOException {
        Optional<Task> idle = task.idle();
        if (idle.isEmpty()) {
            return 0;
        }
        double best = Double.MAX_VALUE;
        for (int i = 0; i < STARTS; i++) {
            best = Math.min(best, seconds(idle.get()));
        }
        return best;
    }

    private static double seconds(Task task) throws IOException {
        task.prepare();
        try {
            long begin = System.nanoTime();
            task.run();
            return (System.nanoTime() - begin) / 1e9;
        } finally {
            task.cleanup();
        }
    }
}
