# %% [markdown]
# # Bayesian deep learning: the map of lessons
#
# What is the question, what does the model believe, and how do we know that it is right? Every
# lesson of this course asks these three. Each is a notebook on real data that takes 45 to 90
# minutes to work through.
#
# **Start here:** [neural_networks](neural_networks.ipynb). What does a network compute, and how does
# it learn from its errors? Who knows that already may start with
# [Bayesian neural networks on wine](bayesian_neural_networks_wine.ipynb): how sure is a network, and
# is it right to be?
#
# ## How to use a lesson
#
# 1. **Predict.** Where a lesson asks what you expect, say it or write it down before you run on.
# 2. **Run** the cells in order, with Shift+Enter. The first one takes some seconds.
# 3. **Look.** Were you right? A line that starts with ✓ is a claim that was just checked.
# 4. **Explain** what you saw, and solve the exercises: each has `.check(answer)`, `.hint()` and `.solution()`.
#
# Running changes the file. Work on a copy (*File → Duplicate Notebook*) to keep the stored results.

# %% [markdown]
# ## The lessons in order
#
# Each stands on those in the column *after*. A planned one has no notebook yet.
#
# | | lesson | the question it answers | after | slides | time | status |
# | --- | --- | --- | --- | --- | --- | --- |
# | 1 | [neural_networks](neural_networks.ipynb) | What does a network compute, and how does it learn from its errors? | – | ASTRO | 75 min | **ready** |
# | 2 | [training_deep_networks](training_deep_networks.ipynb) | What keeps a deep network trainable, and what keeps it from learning by heart? | 1 | ASTRO | 90 min | **ready** |
# | 3 | [optimizers](optimizers.ipynb) | Which way is down, and how fast can one go? | 1 | ASTRO | 90 min | **ready** |
# | 4 | `hyperparameters` | How does one choose settings without fooling oneself? | 3 | ASTRO | 45–90 min | planned |
# | 5 | `convolutions` | What is gained by looking at an image through a small window? | 2 | NC | 45–90 min | planned |
# | 6 | [resnet](resnet.ipynb) | Why did more layers make networks worse, and what do skip connections change? | 2, 3 | ASTRO | 75 min | **ready** |
# | 7 | `transfer_learning` | When does what was learnt on one task help with another? | 6 | ASTRO | 45–90 min | planned |
# | 8 | `recurrent` | How does a network remember what came before? | 2 | NC | 45–90 min | planned |
# | 9 | [autoencoders](autoencoders.ipynb) | What is worth keeping of a picture? | 2 | BNN, NC, ASTRO | 75 min | **ready** |
# | 10 | [var_mod](var_mod.ipynb) | How probable is a picture, and where do new ones come from? | 9 | L4, BNN, NC, ASTRO | 90 min | **ready** |
# | 11 | `var_mod_applications` | What can one do with a model that generates? | 10 | BNN, NC | 45–90 min | planned |
# | 12 | [bayesian_neural_networks_wine](bayesian_neural_networks_wine.ipynb) | How sure is the network, and is it right to be? | 2 | L4, BNN, ASTRO | 90 min | **ready** |
# | 13 | `posteriors` | How far from the true posterior do the approximations land? | 12 | BNN, ASTRO | 45–90 min | planned |
# | 14 | [flows](flows.ipynb) | How can a network give the exact density of its data? | 10 | L4 | 90 min | **ready** |
# | 15 | `flows_applications` | Do exact densities hold what they promise on real data? | 13, 14 | L4 | 45–90 min | planned |
# | 16 | `gan` | Can two networks that compete learn to generate without any density? | 10 | NC | 45–90 min | planned |
#
# Slides: **L4** Lecture 4, *Deep learning architectures*; **BNN** *Bayesian Neural Networks and
# VAE*; **NC** *Neural Computation Revision, Part 2*; **ASTRO** *Machine Learning for Astrophysics:
# Deep Learning*.
#
# Until the planned lessons are there, some others ask for convolutions, the normal distribution and
# Bayes' rule from elsewhere.

# %% [markdown]
# ## Beside the lessons
#
# * [The data sets](../data/README.md): where they come from, what is odd about them, their licences
# * [For lecturers](../docs/lecturers.md): timing, exercises, what to prepare
# * [For contributors](../docs/contributors.md): how to add or change a lesson
