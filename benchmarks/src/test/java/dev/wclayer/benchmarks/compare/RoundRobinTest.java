package dev.wclayer.benchmarks.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.wclayer.benchmarks.compare.Report.RowResult;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class RoundRobinTest {
    private final List<String> turns = new ArrayList<>();

    @Test
    void subjectsTakeTurnsAndEachRoundStartsWithAnother() throws Exception {
        measure(5, new Scripted("a", 0, List.of()), new Scripted("b", 0, List.of()));
        assertThat(turns).containsExactly("a", "b", "a", "b", "b", "a", "a", "b", "b", "a", "a", "b");
    }

    @Test
    void theFirstRunOfEachOnlyWarms() throws Exception {
        RowResult row = measure(5, new Scripted("a", 0, List.of(), 9, 3, 1, 5, 4, 2), new Scripted("b", 0, List.of()));
        assertThat(row.ours().values()).containsExactly(3.0, 1.0, 5.0, 4.0, 2.0);
        assertThat(row.ours().best()).isEqualTo(1);
        assertThat(row.ours().median()).isEqualTo(3);
    }

    @Test
    void itGoesOnUntilTheBestIsNoLuckyOne() throws Exception {
        Row row = new Row("row", "How long?", "set", Unit.SECONDS, List.of(), shop -> List.of());
        Subject noisy = new Scripted("a", 0, List.of(), 9, 4, 1, 3, 5, 2, 7, 1.02, 6, 1.03, 8, 8);
        RowResult result = new RoundRobin(5, 100, 1e9).measure(row, List.of(noisy));
        assertThat(result.ours().values()).containsExactly(4.0, 1.0, 3.0, 5.0, 2.0, 7.0, 1.02, 6.0, 1.03);
    }

    @Test
    void itDoesNotGoOnForEver() throws Exception {
        Row row = new Row("row", "How long?", "set", Unit.SECONDS, List.of(), shop -> List.of());
        double[] falling = new double[20];
        for (int i = 0; i < falling.length; i++) {
            falling[i] = 100 - i * 5;
        }
        Subject restless = new Scripted("a", 0, List.of(), falling);
        assertThat(new RoundRobin(5, 8, 1e9)
                        .measure(row, List.of(restless))
                        .ours()
                        .values())
                .hasSize(8);
        assertThat(new RoundRobin(5, 8, 0)
                        .measure(row, List.of(restless))
                        .ours()
                        .values())
                .hasSize(5);
    }

    @Test
    void whatAProcessStartCostsIsTakenOffBeforeTheRatio() throws Exception {
        RowResult row = measure(
                5,
                new Scripted("a", 0, List.of(), 9, 1, 2, 2, 2, 2),
                new Scripted("b", 0.5, List.of(), 9, 3.5, 4.5, 4.5, 4.5, 4.5));
        assertThat(row.peers()).singleElement().satisfies(peer -> {
            assertThat(peer.ratio()).isEqualTo(3, within(1e-9));
            assertThat(peer.medianRatio()).isEqualTo(2, within(1e-9));
            assertThat(peer.target()).isEqualTo(2.5);
        });
    }

    @Test
    void differentOutputsAreNotMeasured() {
        assertThatThrownBy(() -> measure(
                        5,
                        new Scripted("a", 0, List.of("same", "x 1")),
                        new Scripted("quiet", 0, List.of()),
                        new Scripted("b", 0, List.of("same", "x 2"))))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("b and a")
                .hasMessageContaining("'x 2' and 'x 1'");
        assertThat(turns).as("nothing was timed").isEmpty();
    }

    @Test
    void allQuestionsOfTheFullRunHaveAnswersToCompareWith() {
        for (Scale scale : List.of(Scale.FULL, Scale.QUICK)) {
            List<Row> rows = Rows.of(scale);
            assertThat(rows).extracting(Row::key).doesNotHaveDuplicates();
            assertThat(rows)
                    .extracting(Row::id)
                    .contains(
                            "diff-plain",
                            "diff-digest",
                            "diff-gzip",
                            "diff-gzip-small",
                            "diff-zstd",
                            "apply-plain",
                            "apply-gzip",
                            "apply-zstd",
                            "replay",
                            "apply-small",
                            "changes-trees",
                            "changes-list",
                            "diff-size",
                            "memory-diff",
                            "memory-apply",
                            "first-call",
                            "java-diff",
                            "java-apply",
                            "apply-many");
        }
    }

    private RowResult measure(int rounds, Subject... subjects) throws IOException {
        Row row = new Row(
                "row", "How long?", "set", Unit.SECONDS, List.of(new Row.Target("b", 2.5)), shop -> List.of(subjects));
        return new RoundRobin(rounds, rounds, 0).measure(row, List.of(subjects));
    }

    /** Gives the values it was made with, one after the other, then 1. */
    private final class Scripted implements Subject {
        private final String name;
        private final double start;
        private final List<String> contents;
        private final double[] values;
        private int next;

        Scripted(String name, double start, List<String> contents, double... values) {
            this.name = name;
            this.start = start;
            this.contents = contents;
            this.values = values;
        }

        @Override
        public String name() {
            return name;
        }

        @Override
        public double measure() {
            turns.add(name);
            return next < values.length ? values[next++] : 1;
        }

        @Override
        public List<String> contents() {
            return contents;
        }

        @Override
        public double start() {
            return start;
        }

        @Override
        public List<Sample> samples() {
            return List.of();
        }
    }
}
