package dev.wclayer.benchmarks.jmh;

import dev.wclayer.benchmarks.compare.Workshop;
import dev.wclayer.benchmarks.task.ApplyTasks;
import dev.wclayer.benchmarks.task.JavaCodec;
import dev.wclayer.benchmarks.task.Packing;
import dev.wclayer.benchmarks.task.Task;
import java.io.IOException;
import org.openjdk.jmh.annotations.Param;

/** How long does it take to turn a tar into a layer? Ours always with its digests, durability=none. */
public class ApplyBenchmark extends TaskBenchmark {
    /** Who unpacks. */
    public enum Subject {
        /** Ours, from a file that is read natively. */
        WCLAYER,
        /** Ours, from a stream of Java's. */
        WCLAYER_STREAM,
        /** GNU tar, behind igzip or zstd. */
        GNU_TAR,
        /** Commons Compress as its examples show it; plain only. */
        COMMONS_NAIVE,
        /** Commons Compress with digests, behind java.util.zip or zstd-jni. */
        COMMONS_DIGESTS,
        /** The same behind aircompressor; zstd only. */
        AIRCOMPRESSOR
    }

    /** Who. */
    @Param({"WCLAYER", "WCLAYER_STREAM", "GNU_TAR", "COMMONS_DIGESTS"})
    public Subject subject;

    /** Which layer. */
    @Param("nano/10")
    public String layer;

    /** How it is packed. */
    @Param({"PLAIN", "GZIP", "ZSTD"})
    public Packing packing;

    @Override
    Task task(Workshop shop) throws IOException {
        ApplyTasks tasks = new ApplyTasks(shop.stage(layer));
        return switch (subject) {
            case WCLAYER -> tasks.ours(packing);
            case WCLAYER_STREAM -> tasks.oursFromStream(packing);
            case GNU_TAR -> gnuTar(tasks);
            case COMMONS_NAIVE -> tasks.java(JavaCodec.COMMONS_NAIVE);
            case COMMONS_DIGESTS -> tasks.java(codec());
            case AIRCOMPRESSOR -> tasks.java(JavaCodec.AIRCOMPRESSOR);
        };
    }

    private Task gnuTar(ApplyTasks tasks) throws IOException {
        return switch (packing) {
            case PLAIN -> tasks.gnuTar();
            case GZIP -> tasks.unpackedBy("igzip -dc", packing);
            case ZSTD -> tasks.unpackedBy("zstd -dc", packing);
        };
    }

    private JavaCodec codec() {
        return switch (packing) {
            case PLAIN -> JavaCodec.COMMONS_SHA256;
            case GZIP -> JavaCodec.JAVA_GZIP;
            case ZSTD -> JavaCodec.ZSTD_JNI;
        };
    }

    @Override
    Task reference(Workshop shop) throws IOException {
        return new ApplyTasks(shop.stage(layer)).ours(Packing.PLAIN);
    }
}
