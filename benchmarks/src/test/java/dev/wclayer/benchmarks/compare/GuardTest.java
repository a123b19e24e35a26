package dev.wclayer.benchmarks.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.wclayer.benchmarks.compare.Guard.Verdict;
import dev.wclayer.benchmarks.compare.GuardFile.Floor;
import dev.wclayer.benchmarks.compare.Report.RowResult;
import dev.wclayer.benchmarks.compare.Report.SubjectResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GuardTest {
    @TempDir
    Path folder;

    private final List<Set<String>> measured = new ArrayList<>();
    private final Deque<List<RowResult>> answers = new ArrayDeque<>();

    @Test
    void aRatioAtItsFloorHolds() throws Exception {
        answers.add(List.of(row("a:x", "tar", 2.0), row("b:x", "tar", 3.0)));
        assertThat(check(floor("a:x", 2.0), floor("b:x", 2.0))).allMatch(Verdict::held);
        assertThat(measured).containsExactly(Set.of("a:x", "b:x"));
    }

    @Test
    void aRatioWithinTheSlackHolds() throws Exception {
        answers.add(List.of(row("a:x", "tar", 1.71)));
        assertThat(check(floor("a:x", 2.0))).allMatch(Verdict::held);
    }

    @Test
    void aFloorMayHaveASlackOfItsOwn() throws Exception {
        answers.add(List.of(row("a:x", "tar", 1.85)));
        answers.add(List.of(row("a:x", "tar", 1.85)));
        assertThat(check(new Floor("a:x", "tar", 2.0, 0.06))).noneMatch(Verdict::held);
        answers.add(List.of(row("a:x", "tar", 1.89)));
        assertThat(check(new Floor("a:x", "tar", 2.0, 0.06))).allMatch(Verdict::held);
    }

    @Test
    void aRatioBelowItsFloorTwiceFails() throws Exception {
        answers.add(List.of(row("a:x", "tar", 1.69)));
        answers.add(List.of(row("a:x", "tar", 1.69)));
        List<Verdict> verdicts = check(floor("a:x", 2.0));
        assertThat(verdicts).singleElement().satisfies(verdict -> {
            assertThat(verdict.held()).isFalse();
            assertThat(verdict.repeated()).isTrue();
            assertThat(verdict.text())
                    .startsWith("FAIL a:x")
                    .contains("tar", "1.69 x", "with slack 1.70", "second try");
        });
        assertThat(measured).as("once more, and no more").hasSize(2);
    }

    @Test
    void onlyWhatFailedIsMeasuredOnceMore() throws Exception {
        answers.add(List.of(row("a:x", "tar", 1.0), row("b:x", "tar", 3.0)));
        answers.add(List.of(row("a:x", "tar", 2.1)));
        List<Verdict> verdicts = check(floor("a:x", 2.0), floor("b:x", 2.0));
        assertThat(verdicts).hasSize(2).allMatch(Verdict::held);
        assertThat(measured).containsExactly(Set.of("a:x", "b:x"), Set.of("a:x"));
    }

    @Test
    void aFloorWithoutAFigureIsAnError() {
        answers.add(List.of(row("a:x", "bsdtar", 9.0)));
        assertThatThrownBy(() -> check(floor("a:x", 2.0)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("'a:x'")
                .hasMessageContaining("'tar'");
    }

    /** Rounds and peers behind each other: half the speed is half the ratio. */
    @Test
    void aSlowerSubjectFailsTheWholeWay() throws Exception {
        Row quick = row(1.0);
        Row slowed = row(2.0);
        RoundRobin robin = new RoundRobin(5, 5, 0);
        answers.add(List.of(robin.measure(quick, quick.subjects().in(noWorkshop()))));
        assertThat(check(floor("made:x", 2.0))).allMatch(Verdict::held);
        for (int i = 0; i < 2; i++) {
            answers.add(List.of(robin.measure(slowed, slowed.subjects().in(noWorkshop()))));
        }
        assertThat(check(floor("made:x", 2.0))).noneMatch(Verdict::held);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "{}",
                "{\"slack\": 0.1, \"floors\": []}",
                "{\"slack\": 0.6, \"floors\": [{\"row\": \"a\", \"peer\": \"b\", \"ratio\": 1}]}",
                "{\"slack\": -1, \"floors\": [{\"row\": \"a\", \"peer\": \"b\", \"ratio\": 1}]}",
                "{\"slack\": 0.1, \"floors\": [{\"row\": \"a\", \"peer\": \"b\"}]}",
                "{\"slack\": 0.1, \"floors\": [{\"row\": \"a\", \"ratio\": 1}]}",
                "{\"slack\": 0.1, \"floors\": [{\"row\": \"a\", \"peer\": \"b\", \"ratio\": 1, \"slack\": 2}]}",
                "[1",
            })
    void aFileThatGuardsNothingIsRefused(String text) throws Exception {
        Path file = folder.resolve("guard.json");
        Files.writeString(file, text);
        assertThatThrownBy(() -> GuardFile.read(file))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("guard.json");
    }

    /** The file that ./build guard uses. */
    @Test
    void theProjectsFileNamesRowsAndPeersThatExist() throws Exception {
        GuardFile file = GuardFile.read(Path.of("guard.json"));
        List<String> keys = Rows.of(Scale.QUICK).stream().map(Row::key).toList();
        assertThat(keys).containsAll(file.rows()).doesNotHaveDuplicates();
    }

    private List<Verdict> check(Floor... floors) throws IOException {
        return new Guard(new GuardFile(0.15, List.of(floors)), this::measure).check();
    }

    private List<RowResult> measure(Set<String> rows) {
        measured.add(rows);
        return answers.remove();
    }

    private static Floor floor(String row, double ratio) {
        return new Floor(row, "tar", ratio, null);
    }

    private static RowResult row(String key, String peer, double ratio) {
        String[] idAndSet = key.split(":", 2);
        return new RowResult(
                idAndSet[0],
                "How long?",
                idAndSet[1],
                Unit.SECONDS,
                List.of(
                        new SubjectResult("wclayer", List.of(1.0), 0, 1, 1, null, List.of()),
                        new SubjectResult(peer, List.of(ratio), 0, ratio, ratio, null, List.of())));
    }

    private static Row row(double ours) {
        return new Row(
                "made",
                "How long?",
                "x",
                Unit.SECONDS,
                List.of(),
                shop -> List.of(Subject.constant("wclayer", ours), Subject.constant("tar", 2.0)));
    }

    private Workshop noWorkshop() throws IOException {
        return new Workshop(new dev.wclayer.benchmarks.data.DataSets(folder), folder, folder);
    }
}
