package dev.wclayer.benchmarks.task;

import dev.wclayer.LayerMount;
import dev.wclayer.WindowsDriver;
import dev.wclayer.benchmarks.data.Trees;
import dev.wclayer.compress.WindowsLayerTarWriter;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * A changed copy of a layer, three times: as a folder beside the layer's own for rsync, as a committed child layer, and
 * as a writable layer laid out as a checkout, which has to be compared file by file. Of 100 files, one is changed, one is
 * deleted, and one is new.
 */
public final class ChangeStage implements AutoCloseable {
    /** The committed child. */
    public static final String CHILD = "child";
    /** The writable layer. */
    public static final String BOX = "box";

    private static final int EVERY = 100;
    private static final byte[] NEWS = "changed\n".getBytes(StandardCharsets.US_ASCII);

    private final Stage stage;
    private final WindowsDriver checkouts;

    /**
     * Changes a copy.
     *
     * @param stage where the layer is
     * @throws IOException if a copy cannot be made
     */
    public ChangeStage(Stage stage) throws IOException {
        this.stage = stage;
        List<Path> files = files(stage.tree());
        Trees.copy(stage.tree(), changedTree());
        change(changedTree(), files);
        stage.driver().applyDiff(CHILD, Stage.BASE, childTar(files));
        checkouts = WindowsDriver.builder(stage.home())
                .option("durability", "none")
                .option("mount", "checkout")
                .open();
        checkouts.createReadWrite(BOX, Stage.BASE);
        try (LayerMount mount = checkouts.mount(BOX)) {
            change(filesFolder(mount.path()), files);
        }
    }

    /** The changed copy, below {@code Files}. */
    Path changedTree() {
        return stage.scratch().resolve("changed");
    }

    /** The driver that lays checkouts out. */
    WindowsDriver checkouts() {
        return checkouts;
    }

    /** The layer that was changed. */
    Stage stage() {
        return stage;
    }

    @Override
    public void close() throws IOException {
        checkouts.close();
    }

    private static List<Path> files(Path tree) throws IOException {
        try (Stream<Path> all = Files.walk(tree)) {
            return all.filter(Files::isRegularFile)
                    .sorted()
                    .map(tree::relativize)
                    .toList();
        }
    }

    /** A mount shows what a container sees as C:\, which is the layer's folder Files. */
    private static Path filesFolder(Path mounted) throws IOException {
        Path shown = mounted.resolveSibling(mounted.getFileName() + ".tree");
        Files.deleteIfExists(shown);
        Files.createDirectory(shown);
        Files.createSymbolicLink(shown.resolve("Files"), mounted);
        return shown;
    }

    private static void change(Path tree, List<Path> files) throws IOException {
        for (int i = 0; i < files.size(); i++) {
            Path file = tree.resolve(files.get(i));
            switch (i % EVERY) {
                case 0 -> Files.write(file, changed(file));
                case 1 -> Files.delete(file);
                case 2 -> Files.write(file.resolveSibling("new-" + i + ".txt"), NEWS);
                default -> {}
            }
        }
    }

    private static byte[] changed(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            byte[] old = in.readAllBytes();
            byte[] longer = new byte[old.length + NEWS.length];
            System.arraycopy(old, 0, longer, 0, old.length);
            System.arraycopy(NEWS, 0, longer, old.length, NEWS.length);
            return longer;
        }
    }

    private Path childTar(List<Path> files) throws IOException {
        Path tar = stage.scratch().resolve("child.tar");
        Instant time = Instant.parse("2024-06-01T00:00:00Z");
        try (OutputStream out = Files.newOutputStream(tar);
                WindowsLayerTarWriter writer = new WindowsLayerTarWriter(out, time)) {
            for (int i = 0; i < files.size(); i++) {
                String path = files.get(i).toString();
                switch (i % EVERY) {
                    case 0 -> writer.file(path, Files.readAllBytes(changedTree().resolve(path)));
                    case 1 -> writer.whiteout(path);
                    case 2 -> writer.file(path.substring(0, path.lastIndexOf('/')) + "/new-" + i + ".txt", NEWS);
                    default -> {}
                }
            }
        }
        return tar;
    }

    /** Every path that is a folder, to leave folders out of what is compared. */
    List<String> folders() throws IOException {
        List<String> folders = new ArrayList<>();
        try (Stream<Path> all = Files.walk(stage.tree())) {
            all.filter(Files::isDirectory)
                    .forEach(path -> folders.add(stage.tree().relativize(path).toString()));
        }
        return folders;
    }
}
