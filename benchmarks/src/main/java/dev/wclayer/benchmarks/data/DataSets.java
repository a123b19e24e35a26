package dev.wclayer.benchmarks.data;

import com.github.luben.zstd.ZstdOutputStream;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;

/** The sets that were made, kept in a folder from run to run. Delete the folder to make them anew. */
public final class DataSets {
    /** Raised when the same name stands for other bytes: what was kept is then not used. */
    private static final String VERSION = "v1";

    private static final Path WINE = Path.of("/usr/lib/x86_64-linux-gnu/wine/x86_64-windows");

    private final Path folder;

    /**
     * Sets below a folder.
     *
     * @param folder made when the first set is
     */
    public DataSets(Path folder) {
        this.folder = folder;
    }

    /** Where they are. */
    public Path folder() {
        return folder;
    }

    /**
     * A set, made now unless it is there.
     *
     * @param parts {@code layer.tar} and {@code tree} in one folder
     */
    public record Layer(DataSet set, Path parts) {
        /** The Windows layer tar. */
        public Path tar() {
            return parts.resolve("layer.tar");
        }

        /** The same files, plain; below {@code Files}. */
        public Path tree() {
            return parts.resolve("tree");
        }

        /** The tar as {@code gzip -6} packs it, in one member, by the JDK's zlib. */
        public Path gzip() throws IOException {
            Path target = parts.resolve("layer.tar.gz");
            return packed(target, out -> new GZIPOutputStream(out, 1 << 16));
        }

        /** The tar as {@code zstd -3} packs it, in one frame. */
        public Path zstd() throws IOException {
            return packed(parts.resolve("layer.tar.zst"), out -> new ZstdOutputStream(out, 3));
        }

        private Path packed(Path target, Packer packer) throws IOException {
            if (Files.notExists(target)) {
                Path unfinished = target.resolveSibling(target.getFileName() + ".part");
                try (OutputStream file = new BufferedOutputStream(Files.newOutputStream(unfinished), 1 << 20);
                        OutputStream out = packer.over(file)) {
                    Files.copy(tar(), out);
                }
                Files.move(unfinished, target, StandardCopyOption.ATOMIC_MOVE);
            }
            return target;
        }
    }

    private interface Packer {
        OutputStream over(OutputStream out) throws IOException;
    }

    /**
     * A set, made now unless it is there.
     *
     * @param set which
     * @return where it is
     * @throws IOException if it cannot be made; for pe, if libwine is not installed
     */
    public Layer layer(DataSet set) throws IOException {
        Path parts = folder.resolve(set.folderName() + "-" + VERSION);
        if (Files.notExists(parts)) {
            Path unfinished = parts.resolveSibling(parts.getFileName() + ".part");
            Trees.delete(unfinished);
            Files.createDirectories(unfinished);
            if (set.shape() == DataSet.Shape.PE) {
                LayerMaker.pack(
                        wineFiles(),
                        "Files/Windows/System32",
                        unfinished.resolve("layer.tar"),
                        unfinished.resolve("tree"));
            } else {
                LayerMaker.generate(set, unfinished.resolve("layer.tar"), unfinished.resolve("tree"));
            }
            Files.move(unfinished, parts, StandardCopyOption.ATOMIC_MOVE);
        }
        return new Layer(set, parts);
    }

    /** Whether the set can be had here: all can but pe without libwine. */
    public static boolean available(DataSet set) {
        return set.shape() != DataSet.Shape.PE || Files.isDirectory(WINE);
    }

    private static List<Path> wineFiles() throws IOException {
        if (!Files.isDirectory(WINE)) {
            throw new IOException("the data set pe is made from the Debian package libwine, which is not installed (no "
                    + WINE + "): apt-get install libwine, or leave out the rows of pe");
        }
        try (Stream<Path> files = Files.list(WINE)) {
            return files.filter(Files::isRegularFile).sorted().toList();
        }
    }
}
