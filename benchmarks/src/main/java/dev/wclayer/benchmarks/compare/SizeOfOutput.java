package dev.wclayer.benchmarks.compare;

import dev.wclayer.benchmarks.task.Task;
import java.io.IOException;
import java.util.List;

/** The bytes that a task makes. */
final class SizeOfOutput implements Subject {
    private final Task task;

    SizeOfOutput(Task task) {
        this.task = task;
    }

    @Override
    public String name() {
        return task.name();
    }

    @Override
    public double measure() throws IOException {
        return task.run();
    }

    @Override
    public List<String> contents() throws IOException {
        return task.contents();
    }
}
