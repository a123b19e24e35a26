package dev.wclayer.benchmarks.compare;

import dev.wclayer.WindowsDriver;
import dev.wclayer.benchmarks.compare.Row.Target;
import dev.wclayer.benchmarks.data.DataSet;
import dev.wclayer.benchmarks.data.DataSets;
import dev.wclayer.benchmarks.task.ApplyTasks;
import dev.wclayer.benchmarks.task.ChangeTasks;
import dev.wclayer.benchmarks.task.DiffTasks;
import dev.wclayer.benchmarks.task.HomeTasks;
import dev.wclayer.benchmarks.task.JavaCodec;
import dev.wclayer.benchmarks.task.ManyLayers;
import dev.wclayer.benchmarks.task.Packing;
import dev.wclayer.benchmarks.task.Stage;
import dev.wclayer.benchmarks.task.Task;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** All the questions, with those we are compared with and what we set out to reach. */
final class Rows {
    private static final String GNU_TAR = "GNU tar";
    private static final String TUNED = JavaCodec.COMMONS_TUNED.text();
    private static final int TINY_LAYERS = 20;
    private static final String SHA256 = JavaCodec.COMMONS_SHA256.text();

    private final Scale scale;
    private final List<Row> rows = new ArrayList<>();

    private Rows(Scale scale) {
        this.scale = scale;
    }

    /** The rows in the order they are measured: what shares a data set follows each other. */
    static List<Row> of(Scale scale) {
        Rows all = new Rows(scale);
        all.diffs();
        all.applies();
        all.processor();
        all.copies();
        all.core();
        all.changes();
        all.growth();
        all.manyToLookThrough();
        all.rows.addAll(ProcessRows.of(scale));
        return all.rows;
    }

    private void diffs() {
        plainDiff(scale.nano(), new Target(GNU_TAR, 1.8), new Target(TUNED, 2.5));
        time(
                "diff-digest",
                "How long does a Diff with its diffID take?",
                scale.nano(),
                List.of(new Target(SHA256, 1.9)),
                shop -> {
                    DiffTasks diff = new DiffTasks(shop.stage(scale.nano()));
                    return List.of(diff.rebuild(Packing.PLAIN, 0), diff.java(JavaCodec.COMMONS_SHA256));
                });
        time(
                "replay",
                "How long does it take to get a pulled layer back, byte for byte?",
                scale.nano(),
                List.of(new Target(GNU_TAR, 1.5), new Target(TUNED, 2.1)),
                shop -> {
                    DiffTasks diff = new DiffTasks(shop.stage(scale.nano()));
                    return List.of(diff.replay(), diff.gnuTar(), diff.java(JavaCodec.COMMONS_TUNED));
                });
        packedDiffs();
        plainDiff(scale.core(), new Target(GNU_TAR, 2), new Target(TUNED, 3));
        zstdDiff(scale.core(), new Target("tar | zstd -3 -T2 -c | digests", 1.5));
        plainDiff(scale.small(), new Target(GNU_TAR, 1.4));
        if (scale.real()) {
            plainDiff("pe");
        }
    }

    private void plainDiff(String set, Target... targets) {
        time("diff-plain", "How long does a Diff take, read as a stream?", set, List.of(targets), shop -> {
            DiffTasks diff = new DiffTasks(shop.stage(set));
            return List.of(
                    diff.rebuildWithoutDigests(),
                    diff.gnuTar(),
                    diff.bsdtar(),
                    diff.java(JavaCodec.COMMONS_TUNED),
                    diff.java(JavaCodec.COMMONS_NAIVE),
                    shop.core().readOnly(shop.stage(set)));
        });
    }

    private void packedDiffs() {
        String set = scale.nano();
        String gzip = JavaCodec.JAVA_GZIP.text();
        time(
                "diff-gzip",
                "How long does a Diff as fast gzip take, with both digests?",
                set,
                List.of(
                        new Target(gzip, 11),
                        new Target("tar | pigz -6 -p2", 6),
                        new Target("tar | igzip -1 -c | digests", 2)),
                shop -> {
                    DiffTasks diff = new DiffTasks(shop.stage(set));
                    return List.of(
                            diff.rebuild(Packing.GZIP, 0),
                            diff.java(JavaCodec.JAVA_GZIP),
                            diff.packedBy("pigz -6 -p2", Packing.GZIP),
                            diff.packedBy("pigz -1 -p2", Packing.GZIP),
                            diff.packedAndDigestedBy("igzip -1 -c", Packing.GZIP));
                });
        time(
                "diff-gzip-small",
                "How long does a Diff as gzip take that is no larger than what zlib makes?",
                set,
                List.of(new Target(gzip, 3), new Target("tar | pigz -6 -p2", 1.8)),
                shop -> {
                    DiffTasks diff = new DiffTasks(shop.stage(set));
                    return List.of(
                            diff.rebuild(Packing.GZIP, 6),
                            diff.java(JavaCodec.JAVA_GZIP),
                            diff.packedBy("pigz -6 -p2", Packing.GZIP));
                });
        size("size-gzip", "How large is a fast gzip Diff beside zlib's?", 0, new Target(gzip, 0.93));
        size("size-gzip-small", "How large is a small gzip Diff beside zlib's?", 6, new Target(gzip, 1));
        zstdDiff(set, new Target(JavaCodec.ZSTD_JNI.text(), 2.2));
    }

    private void size(String id, String question, int level, Target target) {
        String set = scale.nano();
        rows.add(new Row(id, question, set, Unit.BYTES, List.of(target), shop -> {
            DiffTasks diff = new DiffTasks(shop.stage(set));
            return List.of(
                    Subject.size(diff.rebuild(Packing.GZIP, level)), Subject.size(diff.java(JavaCodec.JAVA_GZIP)));
        }));
    }

    private void zstdDiff(String set, Target target) {
        time("diff-zstd", "How long does a Diff as zstd take, with both digests?", set, List.of(target), shop -> {
            DiffTasks diff = new DiffTasks(shop.stage(set));
            return List.of(
                    diff.rebuild(Packing.ZSTD, 3),
                    diff.java(JavaCodec.ZSTD_JNI),
                    diff.java(JavaCodec.AIRCOMPRESSOR),
                    diff.packedAndDigestedBy("zstd -3 -T2 -c", Packing.ZSTD));
        });
    }

    private void applies() {
        plainApply("apply-plain", scale.nano(), new Target(SHA256, 2.3), new Target("GNU tar (no digest)", 0.9));
        time(
                "apply-gzip",
                "How long does ApplyDiff of a gzip layer take, with both digests?",
                scale.nano(),
                List.of(new Target(JavaCodec.JAVA_GZIP.text(), 2.6), new Target("igzip -dc | tar x (no digest)", 1.6)),
                shop -> {
                    ApplyTasks apply = new ApplyTasks(shop.stage(scale.nano()));
                    return List.of(
                            apply.ours(Packing.GZIP),
                            apply.java(JavaCodec.JAVA_GZIP),
                            apply.unpackedBy("igzip -dc", Packing.GZIP),
                            apply.unpackedBy("pigz -dc", Packing.GZIP));
                });
        time(
                "apply-zstd",
                "How long does ApplyDiff of a zstd layer take, with both digests?",
                scale.nano(),
                List.of(new Target(JavaCodec.ZSTD_JNI.text(), 2.1)),
                shop -> {
                    ApplyTasks apply = new ApplyTasks(shop.stage(scale.nano()));
                    return List.of(
                            apply.ours(Packing.ZSTD),
                            apply.java(JavaCodec.ZSTD_JNI),
                            apply.java(JavaCodec.AIRCOMPRESSOR),
                            apply.unpackedBy("zstd -dc", Packing.ZSTD));
                });
        plainApply("apply-small", scale.small(), new Target("GNU tar (no digest)", 1.2), new Target(SHA256, 3));
        if (scale.real()) {
            plainApply("apply-plain", scale.core());
            plainApply("apply-plain", "pe");
        }
        durable();
        manyLayers();
    }

    private void plainApply(String id, String set, Target... targets) {
        time(id, "How long does ApplyDiff of a plain layer take, with its diffID?", set, List.of(targets), shop -> {
            ApplyTasks apply = new ApplyTasks(shop.stage(set));
            return List.of(
                    apply.ours(Packing.PLAIN),
                    apply.gnuTar(),
                    apply.bsdtar(),
                    apply.java(JavaCodec.COMMONS_SHA256),
                    apply.java(JavaCodec.COMMONS_TUNED),
                    apply.java(JavaCodec.COMMONS_NAIVE));
        });
    }

    /** What is left of a comparison when neighbours take the processor away. */
    private void processor() {
        String set = Scale.LARGE; // the clock ticks every 10 ms
        rows.add(new Row(
                "processor-diff",
                "How much processor time does a Diff with its diffID take?",
                set,
                Unit.SECONDS,
                List.of(),
                shop -> {
                    DiffTasks diff = new DiffTasks(shop.stage(set));
                    return List.of(
                            new ProcessorTime(diff.rebuild(Packing.PLAIN, 0)),
                            new ProcessorTime(diff.java(JavaCodec.COMMONS_SHA256)));
                }));
        rows.add(new Row(
                "processor-apply",
                "How much processor time does an ApplyDiff take?",
                set,
                Unit.SECONDS,
                List.of(),
                shop -> {
                    ApplyTasks apply = new ApplyTasks(shop.stage(set));
                    return List.of(
                            new ProcessorTime(apply.ours(Packing.PLAIN)),
                            new ProcessorTime(apply.java(JavaCodec.COMMONS_SHA256)));
                }));
    }

    /** What would be lost in the noise of a clock. */
    private void copies() {
        copies("copies-diff", "How many bytes does a Diff copy?", CopiedBytes::ofDiff);
        copies("copies-apply", "How many bytes does an ApplyDiff copy?", CopiedBytes::ofApply);
    }

    private void copies(String id, String question, Counting counting) {
        String set = "nano/50"; // counting takes a hundred times as long
        rows.add(new Row(id, question, set, Unit.BYTES, List.of(), shop -> {
            Stage stage = shop.stage(set);
            Subject once = Subject.constant(
                    "each byte once", (double) Files.size(stage.layer().tar()));
            return List.of(counting.of(shop, stage), once);
        }));
    }

    private interface Counting {
        Subject of(Workshop shop, Stage stage);
    }

    /** On a disk, where flushing means something. No target: what it costs is the disk's business. */
    private void durable() {
        // Every run of the first two stays on the disk until the end.
        for (String set : List.of("nano/10", "small/100")) {
            durable(set, (shop, name, driver) -> new ApplyTasks(shop.stage(set)).kept(name, driver));
        }
        durable(
                TINY_LAYERS + " layers of 10 files",
                (shop, name, driver) -> new ManyLayers(ten(shop), TINY_LAYERS, shop.fresh("tiny")).ours(name, driver));
    }

    private void durable(String set, DurableTask task) {
        time(
                "apply-durable",
                "What does it cost that a layer survives a power cut?",
                set,
                List.of(),
                shop -> List.of(
                        task.in(shop, "wclayer", onDisk(shop, "full")),
                        task.in(shop, "wclayer, durability=data", onDisk(shop, "data")),
                        task.in(shop, "wclayer, durability=none", onDisk(shop, "none"))));
    }

    private static WindowsDriver onDisk(Workshop shop, String durability) throws IOException {
        return shop.closing(ProcessRows.open(shop.onDisk("durability-" + durability), durability));
    }

    private interface DurableTask {
        Task in(Workshop shop, String name, WindowsDriver driver) throws IOException;
    }

    private void manyLayers() {
        String set = scale.layers() + " layers of 10 files";
        time(
                "apply-many",
                "How long do many layers of a few files take?",
                set,
                List.of(new Target(SHA256, 2)),
                shop -> {
                    ManyLayers many = new ManyLayers(ten(shop), scale.layers(), shop.fresh("many"));
                    return List.of(
                            many.ours(shop.closing(ProcessRows.open(shop.fresh("home"), "none"))),
                            many.java(JavaCodec.COMMONS_SHA256));
                });
    }

    /** A hundred times the layers, sixteen times the chain: what does a call cost then? */
    private void manyToLookThrough() {
        List<Integer> counts = List.of(10 * scale.layers(), scale.layers(), scale.layers() / 10);
        String home = counts.get(0) + " layers in a home";
        grown("home-list", "How long does it take to list a home?", home, counts, HomeTasks::ofLayers, HomeTasks::list);
        grown(
                "home-exists",
                "How long do a thousand questions for a layer take?",
                home,
                counts,
                HomeTasks::ofLayers,
                HomeTasks::exists);
        List<Integer> lengths = List.of(128, 32, 8);
        String chain = "a chain of " + lengths.get(0);
        grown(
                "chain-mount",
                "How long does it take to mount a layer on a chain?",
                chain,
                lengths,
                HomeTasks::ofChain,
                HomeTasks::mount);
        grown(
                "chain-diff",
                "How long does the Diff of a layer on a chain take?",
                chain,
                lengths,
                HomeTasks::ofChain,
                HomeTasks::diff);
    }

    private interface Setting {
        HomeTasks of(WindowsDriver driver, DataSets.Layer layer, int count) throws IOException;
    }

    private void grown(
            String id,
            String question,
            String set,
            List<Integer> counts,
            Setting setting,
            Function<HomeTasks, Task> task) {
        time(id, question, set, List.of(), shop -> {
            List<Task> tasks = new ArrayList<>();
            for (int count : counts) {
                WindowsDriver driver = shop.closing(ProcessRows.open(shop.fresh("home-" + count), "none"));
                tasks.add(task.apply(setting.of(driver, ten(shop), count)));
            }
            return tasks;
        });
    }

    private static DataSets.Layer ten(Workshop shop) throws IOException {
        return shop.sets().layer(new DataSet("ten", DataSet.Shape.SMALL, 10, 3, 25_600));
    }

    private void core() {
        time(
                "java-diff",
                "How much of the core's speed reaches Java in a Diff?",
                Scale.LARGE,
                List.of(new Target("C++ core", 0.95)),
                shop -> List.of(
                        new DiffTasks(shop.stage(Scale.LARGE)).rebuild(Packing.PLAIN, 0),
                        shop.core().diff(shop.stage(Scale.LARGE))));
        time(
                "java-apply",
                "How much of the core's speed reaches Java in an ApplyDiff?",
                Scale.LARGE,
                List.of(new Target("C++ core", 0.95)),
                shop -> List.of(
                        new ApplyTasks(shop.stage(Scale.LARGE)).ours(Packing.PLAIN),
                        shop.core().apply(shop.stage(Scale.LARGE))));
    }

    private void changes() {
        String set = scale.core();
        String rsync = "rsync -an --delete";
        time(
                "changes-trees",
                "How long do Changes of a writable layer take, tree against tree?",
                set,
                List.of(new Target(rsync, 3)),
                shop -> List.of(ChangeTasks.ofTwoTrees(shop.changes(set)), ChangeTasks.byRsync(shop.changes(set))));
        time(
                "changes-list",
                "How long do Changes of a committed layer take?",
                set,
                List.of(new Target(rsync, 20)),
                shop -> List.of(ChangeTasks.ofOwnList(shop.changes(set)), ChangeTasks.byRsync(shop.changes(set))));
        time(
                "diff-size",
                "How long does DiffSize take?",
                set,
                List.of(new Target("du -s", 5)),
                shop -> List.of(
                        ChangeTasks.size(shop.stage(set)),
                        ChangeTasks.sizeByDu(shop.stage(set)),
                        ChangeTasks.sizeByJava(shop.stage(set))));
    }

    /** Hundredth, tenth and whole: does twice the layer take twice the time? */
    private void growth() {
        for (String set : growing(scale.small())) {
            time("growth-diff", "How does a Diff grow with its layer?", set, List.of(), shop -> {
                DiffTasks diff = new DiffTasks(shop.stage(set));
                return List.of(diff.rebuild(Packing.PLAIN, 0), diff.gnuTar(), diff.java(JavaCodec.COMMONS_TUNED));
            });
            time("growth-apply", "How does an ApplyDiff grow with its layer?", set, List.of(), shop -> {
                ApplyTasks apply = new ApplyTasks(shop.stage(set));
                return List.of(apply.ours(Packing.PLAIN), apply.gnuTar(), apply.java(JavaCodec.COMMONS_SHA256));
            });
        }
    }

    private static List<String> growing(String whole) {
        return whole.contains("/")
                ? List.of("small/1000", "small/100", "small/10")
                : List.of("small/1000", "small/100", "small/10", "small");
    }

    private interface Tasks {
        List<Task> in(Workshop workshop) throws IOException;
    }

    private void time(String id, String question, String set, List<Target> targets, Tasks tasks) {
        rows.add(new Row(
                id,
                question,
                set,
                Unit.SECONDS,
                targets,
                shop -> tasks.in(shop).stream().map(Subject::timed).toList()));
    }
}
