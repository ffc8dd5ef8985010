# Builds from the source archive of a release. A tap holds a copy of this file.
class Swarm < Formula
  desc "Tmux plugin and helper that turn the coding agents in your panes into a team"
  homepage "https://github.com/OWNER/tmux-swarm"
  url "https://github.com/OWNER/tmux-swarm/archive/refs/tags/v0.1.0.tar.gz"
  version "0.1.0"
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license "MIT"

  depends_on "rust" => :build
  depends_on "tmux"

  def install
    system "cargo", "install", *std_cargo_args
    (share/"tmux-swarm").install "swarm.tmux", "plugin"
    generate_completions_from_executable(bin/"swarm", "completions")
    system bin/"swarm", "man", man1
  end

  def caveats
    <<~TEXT
      To load the plugin, add to tmux.conf:
        run-shell #{opt_share}/tmux-swarm/swarm.tmux
    TEXT
  end

  test do
    assert_match "swarm #{version}", shell_output("#{bin}/swarm --version")
    assert_predicate share/"tmux-swarm/swarm.tmux", :executable?
  end
end
