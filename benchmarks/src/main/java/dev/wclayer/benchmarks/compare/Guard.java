package dev.wclayer.benchmarks.compare;

import dev.wclayer.benchmarks.compare.GuardFile.Floor;
import dev.wclayer.benchmarks.compare.Report.RowResult;
import dev.wclayer.benchmarks.compare.Report.SubjectResult;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** Decides whether we have become slower beside our peers. What fails is measured once more: noise seldom comes twice. */
public final class Guard {
    /** Measures rows. */
    @FunctionalInterface
    public interface Measuring {
        /** The results of these rows. */
        List<RowResult> of(Set<String> rows) throws IOException;
    }

    /** One floor, held against what was measured. */
    public record Verdict(Floor floor, double measured, double least, boolean repeated) {
        /** Whether it is fast enough. */
        public boolean held() {
            return measured >= least;
        }

        /** For people. */
        public String text() {
            return String.format(
                    Locale.ROOT,
                    "%-4s %-34s %-42s %6.2f x, floor %.2f, with slack %.2f%s",
                    held() ? "ok" : "FAIL",
                    floor.row(),
                    floor.peer(),
                    measured,
                    floor.ratio(),
                    least,
                    repeated ? " (second try)" : "");
        }
    }

    private final GuardFile file;
    private final Measuring measuring;

    /**
     * A guard.
     *
     * @param file the floors
     * @param measuring how to measure
     */
    public Guard(GuardFile file, Measuring measuring) {
        this.file = file;
        this.measuring = measuring;
    }

    /** Measures, and measures once more what failed. All floors of the file are in the answer. */
    public List<Verdict> check() throws IOException {
        List<Verdict> verdicts = judge(file.floors(), measuring.of(file.rows()), false);
        Set<String> doubtful = new LinkedHashSet<>();
        verdicts.stream()
                .filter(verdict -> !verdict.held())
                .forEach(verdict -> doubtful.add(verdict.floor().row()));
        if (doubtful.isEmpty()) {
            return verdicts;
        }
        List<Floor> failed = verdicts.stream()
                .filter(verdict -> !verdict.held())
                .map(Verdict::floor)
                .toList();
        List<Verdict> last =
                new ArrayList<>(verdicts.stream().filter(Verdict::held).toList());
        last.addAll(judge(failed, measuring.of(doubtful), true));
        return last;
    }

    private List<Verdict> judge(List<Floor> floors, List<RowResult> results, boolean repeated) throws IOException {
        List<Verdict> verdicts = new ArrayList<>();
        for (Floor floor : floors) {
            verdicts.add(new Verdict(floor, find(floor, results).ratio(), file.least(floor), repeated));
        }
        return verdicts;
    }

    private static SubjectResult find(Floor floor, List<RowResult> results) throws IOException {
        for (RowResult result : results) {
            if (result.key().equals(floor.row())) {
                for (SubjectResult peer : result.peers()) {
                    if (peer.name().equals(floor.peer())) {
                        return peer;
                    }
                }
            }
        }
        throw new IOException(
                "guard.json: no row '" + floor.row() + "' with a peer '" + floor.peer() + "' was measured");
    }
}
