package dev.wclayer.benchmarks;

import dev.wclayer.compress.WindowsLayerTarWriter;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Random;

/** Layers made of nothing but a seed: the same bytes on every machine. */
public enum DataSet {
    /** 10,000 files of 1 to 4 KiB in 51 folders. */
    SMALL(10_000, 200, 1 << 10, 4 << 10),
    /** 600 files of 4 KiB to 1 MiB in 13 folders, about 60 MB. */
    MIXED(600, 50, 4 << 10, 1 << 20),
    /** 4 files of 32 MiB. */
    LARGE(4, 4, 32 << 20, 32 << 20);

    private static final long SEED = 0x5EED;
    private static final byte[] TEXT = "The quick brown fox jumps over the lazy dog; a layer is a diff of its parent. "
            .getBytes(StandardCharsets.US_ASCII);

    private final int files;
    private final int filesPerFolder;
    private final int leastBytes;
    private final int mostBytes;

    DataSet(int files, int filesPerFolder, int leastBytes, int mostBytes) {
        this.files = files;
        this.filesPerFolder = filesPerFolder;
        this.leastBytes = leastBytes;
        this.mostBytes = mostBytes;
    }

    /**
     * Writes the set as a Windows layer tar.
     *
     * @param target the tar, made or replaced
     * @throws IOException if it cannot be written
     */
    public void writeTar(Path target) throws IOException {
        Random random = new Random(SEED + files);
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(target), 1 << 20);
                WindowsLayerTarWriter tar = new WindowsLayerTarWriter(out, Instant.ofEpochSecond(1_700_000_000L))) {
            for (int i = 0; i < files; i++) {
                String folder = "Files/folder-" + i / filesPerFolder;
                if (i % filesPerFolder == 0) {
                    tar.folder(folder);
                }
                tar.file(folder + "/file-" + i + ".bin", content(random));
            }
        }
    }

    /** Half text, half noise, as executables are: it compresses to somewhat less than half. */
    private byte[] content(Random random) {
        byte[] content = new byte[leastBytes + (mostBytes == leastBytes ? 0 : random.nextInt(mostBytes - leastBytes))];
        for (int at = 0; at < content.length; at += 512) {
            int length = Math.min(512, content.length - at);
            if (random.nextInt(10) < 4) {
                byte[] noise = new byte[length];
                random.nextBytes(noise);
                System.arraycopy(noise, 0, content, at, length);
            } else {
                for (int i = 0; i < length; i++) {
                    content[at + i] = TEXT[(at + i) % TEXT.length];
                }
            }
        }
        return content;
    }
}
