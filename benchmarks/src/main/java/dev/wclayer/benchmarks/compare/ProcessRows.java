package dev.wclayer.benchmarks.compare;

import dev.wclayer.WindowsDriver;
import dev.wclayer.benchmarks.compare.ChildSubject.Figure;
import dev.wclayer.benchmarks.compare.Row.Target;
import dev.wclayer.benchmarks.data.DataSet;
import dev.wclayer.benchmarks.task.JavaCodec;
import dev.wclayer.benchmarks.task.Packing;
import dev.wclayer.benchmarks.task.Stage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The questions that take a process of its own: the first call, and memory. */
final class ProcessRows {
    private static final String LIMIT = "the limit";
    private static final double PLAIN_BYTES = 24e6;
    private static final double PACKED_BYTES = 64e6;

    private ProcessRows() {}

    static List<Row> of(Scale scale) {
        List<Row> rows = new ArrayList<>();
        rows.add(firstCall());
        rows.add(nativeDiff("memory-diff", scale.nano(), Packing.PLAIN, PLAIN_BYTES));
        rows.add(nativeDiff("memory-diff-gzip", scale.nano(), Packing.GZIP, PACKED_BYTES));
        rows.add(nativeDiff("memory-diff-zstd", scale.nano(), Packing.ZSTD, PACKED_BYTES));
        rows.add(nativeApply("memory-apply", scale.nano(), PLAIN_BYTES));
        rows.add(nativeApply("memory-apply", scale.core(), PLAIN_BYTES));
        rows.add(nativeApply("memory-apply", scale.million(), PACKED_BYTES));
        rows.add(nativeDiff("memory-diff", scale.million(), Packing.PLAIN, PACKED_BYTES));
        rows.add(residentDiff(scale.core()));
        rows.add(residentApply(scale.core()));
        return rows;
    }

    /** A driver of its own; {@code durability} full or none. */
    static WindowsDriver open(Path home, String durability) throws IOException {
        return WindowsDriver.builder(home).option("durability", durability).open();
    }

    private static Row firstCall() {
        String peer = JavaCodec.COMMONS_TUNED.text();
        return new Row(
                "first-call",
                "How long does it take from the start of Java to the end of the first, tiny Diff?",
                "",
                Unit.SECONDS,
                List.of(new Target(peer, 3)),
                shop -> {
                    DataSet one = new DataSet("one", DataSet.Shape.SMALL, 1, 2, 2_000);
                    Stage stage = shop.closing(new Stage(shop.sets().layer(one), shop.fresh("one")));
                    return List.of(
                            ours(Figure.SECONDS, stage, Packing.PLAIN),
                            peerDiff(Figure.SECONDS, JavaCodec.COMMONS_TUNED, stage),
                            new ChildSubject("Java alone", Figure.SECONDS, List.of("idle"), List.of()));
                });
    }

    private static Row nativeDiff(String id, String set, Packing packing, double limit) {
        return new Row(
                id,
                "How much native memory does a Diff take at most?",
                set,
                Unit.BYTES,
                List.of(new Target(LIMIT, 1)),
                shop -> List.of(ours(Figure.NATIVE, shop.stage(set), packing), Subject.constant(LIMIT, limit)));
    }

    private static Row nativeApply(String id, String set, double limit) {
        return new Row(
                id,
                "How much native memory does an ApplyDiff take at most?",
                set,
                Unit.BYTES,
                List.of(new Target(LIMIT, 1)),
                shop -> List.of(ourApply(Figure.NATIVE, shop, set), Subject.constant(LIMIT, limit)));
    }

    private static Row residentDiff(String set) {
        return new Row(
                "process-diff",
                "How large does a Java process get that makes a Diff?",
                set,
                Unit.BYTES,
                List.of(),
                shop -> List.of(
                        ours(Figure.RESIDENT, shop.stage(set), Packing.PLAIN),
                        peerDiff(Figure.RESIDENT, JavaCodec.COMMONS_SHA256, shop.stage(set)),
                        peerDiff(Figure.RESIDENT, JavaCodec.ZSTD_JNI, shop.stage(set)),
                        new ChildSubject("Java alone", Figure.RESIDENT, List.of("idle"), List.of())));
    }

    private static Row residentApply(String set) {
        return new Row(
                "process-apply",
                "How large does a Java process get that makes an ApplyDiff?",
                set,
                Unit.BYTES,
                List.of(),
                shop -> {
                    Path folder = shop.fresh("unpacked");
                    String tar = shop.stage(set).layer().tar().toString();
                    return List.of(
                            ourApply(Figure.RESIDENT, shop, set),
                            new ChildSubject(
                                    JavaCodec.COMMONS_SHA256.text(),
                                    Figure.RESIDENT,
                                    List.of("peer-apply", JavaCodec.COMMONS_SHA256.name(), tar, folder.toString()),
                                    List.of(folder)));
                });
    }

    private static Subject ours(Figure figure, Stage stage, Packing packing) {
        List<String> arguments = List.of("diff", packing.name(), stage.home().toString(), Stage.BASE);
        return new ChildSubject("wclayer", figure, arguments, List.of());
    }

    private static Subject ourApply(Figure figure, Workshop shop, String set) throws IOException {
        Path home = shop.fresh("home");
        String tar = shop.stage(set).layer().tar().toString();
        return new ChildSubject("wclayer", figure, List.of("apply", home.toString(), tar), List.of(home));
    }

    private static Subject peerDiff(Figure figure, JavaCodec codec, Stage stage) {
        List<String> arguments = List.of("peer-diff", codec.name(), stage.tree().toString());
        return new ChildSubject(codec.text(), figure, arguments, List.of());
    }
}
