package dev.wclayer.benchmarks.compare;

import dev.wclayer.benchmarks.compare.Report.RowResult;
import dev.wclayer.benchmarks.compare.Report.SubjectResult;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Measures the subjects of a row by turns, so that whatever else the computer does meets all of them. Each round starts
 * with another subject. On a busy computer it goes on until the best figures are no lucky or unlucky ones: a subject has
 * settled when three of its figures lie close to its best.
 */
public final class RoundRobin {
    private static final int AGREEING = 3;
    private static final double CLOSE = 1.04;

    private final int leastRounds;
    private final int mostRounds;
    private final double seconds;

    /**
     * Sets the rounds.
     *
     * @param leastRounds so many at least
     * @param mostRounds so many at most
     * @param seconds between the two: until all have settled, but no longer than this
     */
    public RoundRobin(int leastRounds, int mostRounds, double seconds) {
        this.leastRounds = leastRounds;
        this.mostRounds = mostRounds;
        this.seconds = seconds;
    }

    /**
     * Compares what the subjects produce, then measures.
     *
     * @param row what is asked
     * @param subjects ours first
     * @return the figures
     * @throws IOException if a subject fails, or produces something else than another
     */
    public RowResult measure(Row row, List<Subject> subjects) throws IOException {
        compareContents(row, subjects);
        List<List<Double>> values = new ArrayList<>();
        for (Subject subject : subjects) {
            subject.measure(); // warm
            values.add(new ArrayList<>());
        }
        long begin = System.nanoTime();
        for (int round = 0; round < leastRounds || goesOn(round, begin, values); round++) {
            for (int i = 0; i < subjects.size(); i++) {
                int turn = (i + round) % subjects.size();
                values.get(turn).add(subjects.get(turn).measure());
            }
        }
        return result(row, subjects, values);
    }

    private boolean goesOn(int round, long begin, List<List<Double>> values) {
        boolean settled = values.stream().allMatch(RoundRobin::settled);
        return !settled && round < mostRounds && since(begin) < seconds;
    }

    private static boolean settled(List<Double> values) {
        double best = Collections.min(values);
        return values.stream().filter(value -> value <= best * CLOSE).count() >= AGREEING;
    }

    private static void compareContents(Row row, List<Subject> subjects) throws IOException {
        List<String> expected = List.of();
        String reference = "";
        for (Subject subject : subjects) {
            List<String> contents = subject.contents();
            if (reference.isEmpty() && !contents.isEmpty()) {
                expected = contents;
                reference = subject.name();
            }
            if (!contents.isEmpty() && !contents.equals(expected)) {
                throw new IOException(row.key() + ": " + subject.name() + " and " + reference
                        + " produce different things, so there is nothing to compare; first difference: "
                        + firstDifference(contents, expected));
            }
        }
    }

    private static String firstDifference(List<String> some, List<String> others) {
        int i = 0;
        while (i < Math.min(some.size(), others.size()) && some.get(i).equals(others.get(i))) {
            i++;
        }
        return (i < some.size() ? "'" + some.get(i) + "'" : "the end") + " and "
                + (i < others.size() ? "'" + others.get(i) + "'" : "the end");
    }

    private static RowResult result(Row row, List<Subject> subjects, List<List<Double>> values) throws IOException {
        List<SubjectResult> bare = new ArrayList<>();
        for (int i = 0; i < subjects.size(); i++) {
            Subject subject = subjects.get(i);
            bare.add(new SubjectResult(subject.name(), values.get(i), subject.start(), 1, 1, null, subject.samples()));
        }
        SubjectResult ours = bare.get(0);
        List<SubjectResult> results = new ArrayList<>(List.of(ours));
        for (SubjectResult peer : bare.subList(1, bare.size())) {
            results.add(new SubjectResult(
                    peer.name(),
                    peer.values(),
                    peer.start(),
                    (peer.best() - peer.start()) / (ours.best() - ours.start()),
                    (peer.median() - peer.start()) / (ours.median() - ours.start()),
                    target(row, peer.name()),
                    peer.samples()));
        }
        return new RowResult(row.id(), row.question(), row.set(), row.unit(), results);
    }

    private static @Nullable Double target(Row row, String peer) {
        return row.targets().stream()
                .filter(target -> target.peer().equals(peer))
                .map(Row.Target::ratio)
                .findFirst()
                .orElse(null);
    }

    private static double since(long begin) {
        return (System.nanoTime() - begin) / 1e9;
    }
}
