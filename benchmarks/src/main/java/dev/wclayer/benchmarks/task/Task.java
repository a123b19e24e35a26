package dev.wclayer.benchmarks.task;

import java.io.IOException;
import java.util.List;
import java.util.Optional;

/** A job as one subject does it. Only {@link #run()} is timed. Not for several threads. */
public abstract class Task {
    private final String name;

    /**
     * A task.
     *
     * @param name who does it and how, as charts and tables show it
     */
    protected Task(String name) {
        this.name = name;
    }

    /** Who does it and how. */
    public final String name() {
        return name;
    }

    /** What {@link #run()} needs anew each time. */
    public void prepare() throws IOException {}

    /** The job; returns the bytes that came out, 0 where none do. */
    public abstract long run() throws IOException;

    /** Takes away what {@link #run()} made. */
    public void cleanup() throws IOException {}

    /** The same job, its output taken apart into lines that another subject's must equal; empty: cannot be compared. */
    public abstract List<String> contents() throws IOException;

    /** The same command with nothing to do, for what only its start costs; empty if no process is started. */
    public Optional<Task> idle() {
        return Optional.empty();
    }
}
