package dev.wclayer.benchmarks.compare;

import java.io.IOException;
import java.util.List;

/**
 * One question with its figures: us and those we are compared with.
 *
 * @param id short, without the data set
 * @param question what a user would ask
 * @param set the data set; empty where none is used
 * @param unit what is counted
 * @param targets what we set out to reach
 * @param subjects makes the subjects, ours first
 */
public record Row(String id, String question, String set, Unit unit, List<Target> targets, Subjects subjects) {
    /** What we set out to reach: the peer's figure divided by ours, at least. */
    public record Target(String peer, double ratio) {}

    /** Sets subjects up; what it opens is closed by the workshop. */
    @FunctionalInterface
    public interface Subjects {
        /** The subjects, ours first. */
        List<Subject> in(Workshop workshop) throws IOException;
    }

    /** Id and data set: what the guard's file and {@code --rows} name. */
    public String key() {
        return set.isEmpty() ? id : id + ":" + set;
    }
}
