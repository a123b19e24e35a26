package dev.wclayer.benchmarks.jmh;

import dev.wclayer.DiffOptions;
import dev.wclayer.benchmarks.compare.Workshop;
import dev.wclayer.benchmarks.task.DiffTasks;
import dev.wclayer.benchmarks.task.JavaCodec;
import dev.wclayer.benchmarks.task.Packing;
import dev.wclayer.benchmarks.task.Task;
import java.io.IOException;
import org.openjdk.jmh.annotations.Param;

/** How long does it take to turn a stored layer into a tar, packed or not? Ours always with its digests. */
public class DiffBenchmark extends TaskBenchmark {
    /** Who writes. */
    public enum Subject {
        /** Ours, from the stored metadata. */
        WCLAYER(null),
        /** Ours, from the kept skeleton. */
        WCLAYER_REPLAY(null),
        /** GNU tar. */
        GNU_TAR(null),
        /** bsdtar. */
        BSDTAR(null),
        /** Commons Compress as its examples show it. */
        COMMONS_NAIVE(JavaCodec.COMMONS_NAIVE),
        /** Commons Compress as those who measured use it. */
        COMMONS_TUNED(JavaCodec.COMMONS_TUNED),
        /** The same with a digest. */
        COMMONS_SHA256(JavaCodec.COMMONS_SHA256),
        /** The same packed by java.util.zip, with both digests. */
        JAVA_GZIP(JavaCodec.JAVA_GZIP),
        /** The same packed by zstd-jni, with both digests. */
        ZSTD_JNI(JavaCodec.ZSTD_JNI),
        /** The same packed by aircompressor, with both digests. */
        AIRCOMPRESSOR(JavaCodec.AIRCOMPRESSOR);

        private final JavaCodec codec;

        Subject(JavaCodec codec) {
            this.codec = codec;
        }
    }

    /** Where ours goes. */
    public enum Sink {
        /** Read by Java. */
        STREAM,
        /** Written natively into a file. */
        FILE
    }

    /** Who. */
    @Param({"WCLAYER", "WCLAYER_REPLAY", "GNU_TAR", "BSDTAR", "COMMONS_NAIVE", "COMMONS_TUNED"})
    public Subject subject;

    /** Which layer. */
    @Param("nano/10")
    public String layer;

    /** How ours is packed; the peers' names say how theirs is. */
    @Param("PLAIN")
    public Packing packing;

    /** Where ours goes; the peers' always go where nothing is kept. */
    @Param("STREAM")
    public Sink sink;

    /** Ours: compression workers; 0: one for each core, at most 4. */
    @Param("0")
    public int threads;

    @Override
    Task task(Workshop shop) throws IOException {
        DiffTasks tasks = new DiffTasks(shop.stage(layer));
        return switch (subject) {
            case WCLAYER, WCLAYER_REPLAY -> ours(tasks);
            case GNU_TAR -> tasks.gnuTar();
            case BSDTAR -> tasks.bsdtar();
            default -> tasks.java(subject.codec);
        };
    }

    private Task ours(DiffTasks tasks) {
        DiffOptions options = DiffOptions.DEFAULT
                .withRebuild(subject == Subject.WCLAYER)
                .withCompression(packing.compression())
                .withThreads(threads);
        return sink == Sink.FILE
                ? tasks.oursIntoFile("wclayer", options, packing)
                : tasks.ours("wclayer", options, packing);
    }

    @Override
    Task reference(Workshop shop) throws IOException {
        return new DiffTasks(shop.stage(layer)).replay();
    }
}
