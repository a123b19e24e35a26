package dev.wclayer.benchmarks.task;

import com.github.luben.zstd.ZstdInputStream;
import com.github.luben.zstd.ZstdOutputStream;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;

/** Commons Compress with what a Java program puts around it for the same outcome. */
public enum JavaCodec {
    /** Its examples, as they are: 8 KiB at a time, an entry made from the file. */
    COMMONS_NAIVE("Commons Compress, naive", Packing.PLAIN, false),
    /** With 1 MiB buffers and what the folder walk knows already. */
    COMMONS_TUNED("Commons Compress, tuned", Packing.PLAIN, false),
    /** The same with the JDK's SHA-256 of the tar. */
    COMMONS_SHA256("Commons Compress + SHA-256", Packing.PLAIN, true),
    /** With java.util.zip and both digests. */
    JAVA_GZIP("Commons Compress + java.util.zip + digests", Packing.GZIP, true),
    /** With zstd-jni, level 3, and both digests. */
    ZSTD_JNI("Commons Compress + zstd-jni + digests", Packing.ZSTD, true),
    /** With aircompressor (no native code) and both digests. */
    AIRCOMPRESSOR("Commons Compress + aircompressor + digests", Packing.ZSTD, true);

    private static final int LARGE = 1 << 20;
    private static final int MEDIUM = 1 << 16;

    private final String text;
    private final Packing packing;
    private final boolean digests;

    JavaCodec(String text, Packing packing, boolean digests) {
        this.text = text;
        this.packing = packing;
        this.digests = digests;
    }

    /** As charts show it. */
    public String text() {
        return text;
    }

    /** What it writes and reads. */
    public Packing packing() {
        return packing;
    }

    /** Writes the files of a tree as a tar. */
    public void write(Path tree, OutputStream out) throws IOException {
        if (this == COMMONS_NAIVE) {
            CommonsTar.writeNaive(tree, out);
            return;
        }
        OutputStream blob = packing == Packing.PLAIN ? out : digesting(out);
        try (OutputStream packed = packer(new BufferedOutputStream(blob, LARGE));
                OutputStream tar = digests ? digesting(packed) : packed) {
            CommonsTar.write(tree, tar);
        }
    }

    /** Unpacks a tar into a folder. */
    public void unpack(Path archive, Path folder) throws IOException {
        if (this == COMMONS_NAIVE) {
            try (InputStream in = Files.newInputStream(archive)) {
                CommonsTar.unpackNaive(in, folder);
            }
            return;
        }
        try (InputStream file = Files.newInputStream(archive);
                InputStream blob = packing == Packing.PLAIN ? file : digesting(file);
                InputStream plain = unpacker(new BufferedInputStream(blob, LARGE));
                InputStream tar = digests ? digesting(plain) : plain) {
            CommonsTar.unpack(packing == Packing.PLAIN && !digests ? tar : new BufferedInputStream(tar, LARGE), folder);
        }
    }

    private OutputStream packer(OutputStream out) throws IOException {
        return switch (this) {
            case JAVA_GZIP -> new GZIPOutputStream(out, MEDIUM);
            case ZSTD_JNI -> new ZstdOutputStream(out, 3);
            case AIRCOMPRESSOR -> new io.airlift.compress.zstd.ZstdOutputStream(out);
            default -> out;
        };
    }

    private InputStream unpacker(InputStream in) throws IOException {
        return switch (this) {
            case JAVA_GZIP -> new GZIPInputStream(in, MEDIUM);
            case ZSTD_JNI -> new ZstdInputStream(in);
            case AIRCOMPRESSOR -> new io.airlift.compress.zstd.ZstdInputStream(in);
            default -> in;
        };
    }

    private static OutputStream digesting(OutputStream out) {
        return new DigestOutputStream(out, sha256());
    }

    private static InputStream digesting(InputStream in) {
        return new DigestInputStream(in, sha256());
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException(impossible);
        }
    }
}
