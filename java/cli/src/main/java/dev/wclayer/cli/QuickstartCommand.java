package dev.wclayer.cli;

import dev.wclayer.WindowsDriver;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;

@Command(
        name = "quickstart",
        description = {
            "Show the whole job on real Windows files, explained as it goes.",
            "Layers are stored, mounted, changed, compared and exported. Without --home it uses a temporary home and removes it."
        })
final class QuickstartCommand implements Callable<Integer> {
    @ParentCommand
    private Wclayer root;

    @Option(
            names = "--input",
            arity = "1..*",
            paramLabel = "FILE",
            description = "Your own layer tars (plain, gzip or zstd), lowest first.")
    private List<Path> input = new ArrayList<>();

    @Override
    public Integer call() throws IOException {
        Path work = Files.createTempDirectory("wclayer-quickstart-");
        try {
            Narrator narrator = new Narrator(root.output());
            List<Path> tars = input;
            if (tars.isEmpty()) {
                narrator.step("Two layer tars are written, of Windows DLLs that Maven resolves anyway");
                tars = SampleLayers.write(work.resolve("tars"), narrator);
            }
            @Nullable Path given = root.givenHome();
            try (WindowsDriver driver = root.open(given == null ? work.resolve("home") : given)) {
                new Quickstart(driver, work, narrator).run(tars);
            }
            if (given == null) {
                narrator.say("");
                narrator.say("The temporary home is removed. Your own layers: ./wclayer quickstart --input FILE…");
            }
            narrator.end();
            return CommandLines.OK;
        } finally {
            TemporaryFolders.delete(work);
        }
    }
}
