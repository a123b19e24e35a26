package dev.wclayer.benchmarks.compare;

import dev.wclayer.benchmarks.task.Task;
import java.io.IOException;
import java.util.List;

/** Something that is measured again and again, in the unit of its row. */
public interface Subject {
    /** As tables and charts show it. */
    String name();

    /** Measures once. */
    double measure() throws IOException;

    /** What it produces, to be the same for all subjects of a row; empty: cannot be compared. */
    List<String> contents() throws IOException;

    /** What the start of its process costs, measured now; 0 if it starts none. */
    default double start() throws IOException {
        return 0;
    }

    /** What was sampled during the last measurement; may be empty. */
    default List<Sample> samples() {
        return List.of();
    }

    /** Memory at a moment. */
    record Sample(double seconds, double bytes) {}

    /** A task on the clock. */
    static Subject timed(Task task) {
        return new TimedTask(task);
    }

    /** A task's output, in bytes. */
    static Subject size(Task task) {
        return new SizeOfOutput(task);
    }

    /** A figure that everything is held against. */
    static Subject constant(String name, double value) {
        return new Fixed(name, value);
    }

    /** A figure that does not change. */
    record Fixed(String name, double value) implements Subject {
        @Override
        public double measure() {
            return value;
        }

        @Override
        public List<String> contents() {
            return List.of();
        }
    }
}
